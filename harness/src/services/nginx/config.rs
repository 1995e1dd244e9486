//! What nginx's configuration says of its stream proxies: where they listen, where they connect to, their timers.
//!
//! The syntax is `name argument …;` and `name argument … { … }` (nginx, Beginner's Guide, "Configuration File's Structure").
//! `include` is not followed.

use std::time::Duration;

/// A directive, with what stands in its block.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Directive {
    /// Its name, then its arguments.
    pub words: Vec<String>,
    /// Its block's directives.
    pub block: Vec<Directive>,
}

impl Directive {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Its first argument.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// The directives of this name in its block.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.block.iter().filter(move |directive| directive.name() == name)
    }

    /// The value of the first directive of this name in its block.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.block.iter().find(|directive| directive.name() == name)?.value()
    }
}

/// One stream server.
#[derive(Debug, PartialEq, Eq)]
pub struct Server {
    /// The ports that it listens on.
    pub ports: Vec<u16>,
    /// Where it connects to, as written: `host:port`.
    pub servers: Vec<String>,
    /// `proxy_connect_timeout`.
    pub connect: Option<Duration>,
    /// `proxy_timeout`.
    pub timeout: Option<Duration>,
}

/// What `proxy_connect_timeout` is by default (nginx, ngx_stream_proxy_module).
const CONNECT: Duration = Duration::from_secs(60);
/// What `proxy_timeout` is by default (nginx, ngx_stream_proxy_module).
const TIMEOUT: Duration = Duration::from_secs(600);

/// Reads a configuration; what cannot be read is left to nginx, which says so.
#[must_use]
pub fn parse(text: &str) -> Directive {
    Directive { words: Vec::new(), block: block(&mut tokens(text).into_iter()) }
}

/// Every server of the stream module, with the settings in force.
#[must_use]
pub fn servers(whole: &Directive) -> Vec<Server> {
    let streams = whole.all("stream");
    streams.flat_map(|stream| stream.all("server").filter_map(|server| one(stream, server))).collect()
}

fn one(stream: &Directive, server: &Directive) -> Option<Server> {
    let to = server.get("proxy_pass")?;
    let group = stream.all("upstream").find(|upstream| upstream.value() == Some(to));
    let servers = match group {
        Some(group) => group.all("server").filter_map(|server| server.value().map(str::to_owned)).collect(),
        None => vec![to.to_owned()],
    };
    let time = |name: &str, usual| match server.get(name).or_else(|| stream.get(name)) {
        Some(text) => duration(text),
        None => Some(usual),
    };
    Some(Server {
        ports: server.all("listen").filter_map(|listen| port(listen.value()?)).collect(),
        servers,
        connect: time("proxy_connect_timeout", CONNECT),
        timeout: time("proxy_timeout", TIMEOUT),
    })
}

fn port(listen: &str) -> Option<u16> {
    listen.rsplit_once(':').map_or(listen, |(_, port)| port).parse().ok()
}

/// A time as nginx writes it: `600`, `10m`, `1m30s`, `500ms` (nginx, "Configuration file measurement units").
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let mut left = text;
    let mut sum = Duration::ZERO;
    while !left.is_empty() {
        let digits = left.find(|c: char| !c.is_ascii_digit()).unwrap_or(left.len());
        let number: u64 = left[..digits].parse().ok()?;
        let rest = &left[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(1),
            "" | "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(24 * 3600),
            _ => return None,
        };
        sum = sum.checked_add(unit.checked_mul(u32::try_from(number).ok()?)?)?;
        left = &rest[letters..];
    }
    Some(sum)
}

enum Token {
    Word(String),
    End,
    Open,
    Close,
}

fn block(tokens: &mut impl Iterator<Item = Token>) -> Vec<Directive> {
    let mut directives = Vec::new();
    let mut words = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => words.push(word),
            Token::End => directives.push(Directive { words: std::mem::take(&mut words), block: Vec::new() }),
            Token::Open => {
                let words = std::mem::take(&mut words);
                directives.push(Directive { words, block: block(tokens) });
            }
            Token::Close => break,
        }
    }
    directives
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ';' => tokens.push(Token::End),
            '{' => tokens.push(Token::Open),
            '}' => tokens.push(Token::Close),
            '#' => while chars.next().is_some_and(|c| c != '\n') {},
            '"' | '\'' => tokens.push(Token::Word(chars.by_ref().take_while(|next| *next != c).collect())),
            c if c.is_whitespace() => {}
            c => {
                let mut word = String::from(c);
                while let Some(next) = chars.next_if(|next| !next.is_whitespace() && !";{}".contains(*next)) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "
        events {}
        stream {                       # two brokers
            proxy_connect_timeout 1s;
            upstream brokers { server 10.0.0.3:5672 max_fails=3; server s2:5672; }
            server { listen 5672; listen 0.0.0.0:5671 so_keepalive=on; proxy_timeout 1m30s; proxy_pass brokers; }
            server { listen 1883; proxy_pass 'm:1883'; }
        }";

    #[test]
    fn a_server_has_its_own_times_those_of_the_stream_and_the_usual_ones() {
        let servers = servers(&parse(EXAMPLE));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(servers[0].ports, [5672, 5671]);
        assert_eq!(servers[0].servers, ["10.0.0.3:5672", "s2:5672"]);
        assert_eq!((servers[0].connect, servers[0].timeout), (seconds(1), seconds(90)));
        assert_eq!(servers[1].servers, ["m:1883"]);
        assert_eq!((servers[1].connect, servers[1].timeout), (seconds(1), seconds(600)));
    }

    proptest! {
        #[test]
        fn no_text_is_a_reason_to_panic(text in "[ a-z0-9;{}#\"'\n:]*") {
            let _ = servers(&parse(&text));
        }
    }
}
