//! `operate`: the operator of a proxy gives it an order on its stats socket, in its own words (HAProxy's management guide, 9.3).

use std::sync::Arc;

use super::{Playing, Verb};
use crate::keys;
use crate::lab::Lab;
use crate::scenario::{ServiceName, Shaped, Word};

/// `- operate: { proxy: lb, order: "set server broker/s1 state maint" }`
pub const OPERATE: Word<Arc<dyn Verb>> = Word {
    name: "operate",
    about: "the proxy's operator gives it an order, in the words of HAProxy's stats socket; an order that is answered with anything is an error, as those that are done are not",
    example: "{ proxy: lb, order: set server broker/s1 state maint }",
    takes: OperateKeys::SHAPE,
    decode: |value| {
        let mut fields = value.fields(OperateKeys::TABLE)?;
        let proxy = fields.required(OperateKeys::PROXY);
        let order = fields.required(OperateKeys::ORDER);
        fields.finish();
        Some(Arc::new(Operate { proxy: proxy?.to_string(), order: order? }))
    },
};

keys! {
    /// Who is given which order.
    struct OperateKeys {
        PROXY: required ServiceName = "proxy", "lb", "the proxy";
        ORDER: required String = "order", "set server broker/s1 state drain", "what it is told, one line";
    }
}

#[derive(Debug)]
struct Operate {
    proxy: String,
    order: String,
}

impl Verb for Operate {
    fn object(&self) -> Option<&str> {
        Some(&self.proxy)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let what = format!("`{}` at `{}`", self.order, self.proxy);
            lab.operate("operate", &self.proxy, &self.order, &what)
        })
    }
}
