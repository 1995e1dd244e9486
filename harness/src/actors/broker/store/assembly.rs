//! A method, its content header and its body: three kinds of frames, one command (rabbit_command_assembler.erl).

use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, AMQPHardError, BasicProperties, basic};

use super::super::exception::Exception;

/// RabbitMQ's `max_message_size`, bytes.
const LARGEST: u64 = 16 * 1024 * 1024;
/// The class of `basic`.
const BASIC: u16 = 60;

/// A method and, of `basic.publish`, the content.
#[derive(Debug)]
pub struct Command {
    pub method: AMQPClass,
    pub content: Option<(BasicProperties, Vec<u8>)>,
}

/// What a channel waits for.
#[derive(Debug, Default)]
pub enum Assembly {
    /// A method.
    #[default]
    Method,
    /// The header of this method's content.
    Header(AMQPClass),
    /// More of its body.
    Body { method: AMQPClass, properties: Box<BasicProperties>, body: Vec<u8>, size: u64 },
}

impl Assembly {
    /// Takes a frame; gives the command that it completes.
    pub fn take(&mut self, frame: AMQPFrame) -> Result<Option<Command>, Exception> {
        match (std::mem::take(self), frame) {
            (Self::Method, AMQPFrame::Method(_, method)) => {
                if matches!(method, AMQPClass::Basic(basic::AMQPMethod::Publish(_))) {
                    *self = Self::Header(method);
                    return Ok(None);
                }
                Ok(Some(Command { method, content: None }))
            }
            (Self::Method, _) => Err(unexpected("expected method frame, got non method frame instead".into())),
            (Self::Header(method), AMQPFrame::Header(_, header)) => {
                if header.class_id != BASIC {
                    let class = header.class_id;
                    let explanation =
                        format!("expected content header for class {BASIC}, got one for class {class} instead");
                    return Err(unexpected(explanation));
                }
                let size = header.body_size;
                if size > LARGEST {
                    let explanation = format!("message size {size} is larger than configured max size {LARGEST}");
                    return Err(Exception::precondition(explanation));
                }
                Ok(self.more(method, Box::new(header.properties), Vec::new(), size))
            }
            (Self::Header(_), _) => Err(unexpected(format!(
                "expected content header for class {BASIC}, got non content header frame instead"
            ))),
            (Self::Body { method, properties, mut body, size }, AMQPFrame::Body(_, part)) => {
                body.extend_from_slice(&part);
                if body.len() as u64 > size {
                    let explanation = "content body frame exceeds remaining content size";
                    return Err(Exception::hard(AMQPHardError::FRAMEERROR, explanation));
                }
                Ok(self.more(method, properties, body, size))
            }
            (Self::Body { .. }, _) => {
                Err(unexpected("expected content body, got non content body frame instead".into()))
            }
        }
    }

    fn more(
        &mut self,
        method: AMQPClass,
        properties: Box<BasicProperties>,
        body: Vec<u8>,
        size: u64,
    ) -> Option<Command> {
        if body.len() as u64 == size {
            return Some(Command { method, content: Some((*properties, body)) });
        }
        *self = Self::Body { method, properties, body, size };
        None
    }
}

fn unexpected(explanation: String) -> Exception {
    Exception::hard(AMQPHardError::UNEXPECTEDFRAME, explanation)
}
