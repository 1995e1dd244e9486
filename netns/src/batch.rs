//! Several netlink requests in one send: the kernel works them off in order and answers each.
//!
//! nlink's own batch knows neither filters nor links with an index of one's choice; its message builder and socket do.

use nlink::netlink::message::{MessageIter, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NlMsgError};
use nlink::netlink::{Connection, MessageBuilder, Route};

use crate::Error;

/// As many requests as are sent at once. Their answers must fit the socket's receive buffer (`net.core.rmem_default`).
const AT_ONCE: usize = 64;

/// Requests that are to be made together, each with what it does.
#[derive(Default)]
pub(crate) struct Batch {
    requests: Vec<Request>,
}

struct Request {
    doing: String,
    /// The kernel configuration that the request needs, if the kernel answers ENOENT without it.
    option: Option<&'static str>,
    message: MessageBuilder,
}

/// A request that changes something that exists.
pub(crate) fn change(kind: u16) -> MessageBuilder {
    MessageBuilder::new(kind, NLM_F_REQUEST | NLM_F_ACK)
}

/// A request that makes something that does not exist yet.
pub(crate) fn create(kind: u16) -> MessageBuilder {
    MessageBuilder::new(kind, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)
}

impl Batch {
    /// Adds a request; `doing` says in an error what it was to do, to what.
    pub(crate) fn push(&mut self, doing: String, message: MessageBuilder) {
        self.requests.push(Request { doing, option: None, message });
    }

    /// Adds a request that only a kernel with `option` can do.
    pub(crate) fn push_needing(&mut self, option: &'static str, doing: String, message: MessageBuilder) {
        self.requests.push(Request { doing, option: Some(option), message });
    }

    /// Sends all requests, and waits for all answers.
    ///
    /// # Errors
    /// The first request that was refused. Those after it were still tried.
    pub(crate) async fn send(mut self, connection: &Connection<Route>) -> Result<(), Error> {
        for requests in self.requests.chunks_mut(AT_ONCE) {
            send_at_once(requests, connection).await?;
        }
        Ok(())
    }
}

async fn send_at_once(requests: &mut [Request], connection: &Connection<Route>) -> Result<(), Error> {
    let socket = connection.socket();
    let mut bytes = Vec::new();
    let mut numbers = Vec::with_capacity(requests.len());
    for request in requests.iter_mut() {
        let number = socket.next_seq();
        request.message.set_seq(number);
        request.message.set_pid(socket.pid());
        numbers.push(number);
        bytes.extend(request.message.clone().finish());
    }
    let transport = |source| Error::netlink(format!("{} (and what follows it)", requests[0].doing), source);
    socket.send(&bytes).await.map_err(transport)?;

    let mut first_refused: Option<(usize, nlink::Error)> = None;
    let mut unanswered = requests.len();
    while unanswered > 0 {
        let answer = socket.recv_msg().await.map_err(transport)?;
        for message in MessageIter::new(&answer) {
            let (header, payload) = message.map_err(transport)?;
            let Some(index) = numbers.iter().position(|&number| number == header.nlmsg_seq) else { continue };
            if !header.is_error() {
                continue;
            }
            unanswered -= 1;
            let result = NlMsgError::from_bytes(payload).map_err(transport)?;
            if !result.is_ack() && first_refused.as_ref().is_none_or(|(first, _)| index < *first) {
                first_refused = Some((index, result.to_error(header.nlmsg_flags, payload)));
            }
        }
    }
    first_refused.map_or(Ok(()), |(index, source)| Err(refused(&requests[index], source)))
}

fn refused(request: &Request, source: nlink::Error) -> Error {
    let doing = request.doing.clone();
    match request.option {
        Some(option) if source.errno() == Some(nix::libc::ENOENT) => Error::KernelOption { doing, option },
        _ => Error::netlink(doing, source),
    }
}
