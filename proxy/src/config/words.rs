//! A line's words: quotes, escapes, comments and variables (manual, sections 2.2 and 2.3).

use std::collections::HashMap;
use std::sync::Arc;

use super::{Note, NoteKind, Position, Word};

/// Where a line stands, and what its variables stand for.
pub(super) struct Place<'a> {
    pub file: &'a Arc<str>,
    pub line: u32,
    pub section: Option<String>,
    pub environment: &'a HashMap<String, String>,
}

/// The words of a line, and what is wrong with it.
pub(super) struct Words {
    pub words: Vec<Word>,
    pub problem: Option<Note>,
}

/// Splits a line into words, as HAProxy's `parse_line` (`src/tools.c`) does.
pub(super) fn split(line: &str, place: &Place<'_>) -> Words {
    let mut splitter = Splitter { rest: line.chars().collect(), at: 0, word: None, words: Vec::new(), place };
    let problem = splitter.run().err().map(|(at, message)| Note {
        position: splitter.position(at),
        length: splitter.length(at),
        kind: NoteKind::Malformed,
        message: message.to_owned(),
        help: None,
    });
    Words { words: splitter.words, problem }
}

struct Splitter<'a> {
    rest: Vec<char>,
    at: usize,
    /// The word being read and where it started; a pair of quotes alone is a word, an empty one.
    word: Option<(usize, String)>,
    words: Vec<Word>,
    place: &'a Place<'a>,
}

/// Where in the line, and what is wrong there.
type Problem = (usize, &'static str);

impl Splitter<'_> {
    fn run(&mut self) -> Result<(), Problem> {
        let result = self.line();
        self.end_word();
        result
    }

    fn line(&mut self) -> Result<(), Problem> {
        while let Some(character) = self.peek(0) {
            match character {
                '#' => break,
                ' ' | '\t' | '\r' => {
                    self.end_word();
                    self.at += 1;
                }
                '\'' => self.strong()?,
                '"' => self.weak()?,
                '\\' => self.escape(false),
                _ => self.take(character),
            }
        }
        Ok(())
    }

    /// Between single quotes nothing is special.
    fn strong(&mut self) -> Result<(), Problem> {
        let start = self.open_quote();
        while let Some(character) = self.peek(0) {
            if character == '\'' {
                self.at += 1;
                return Ok(());
            }
            self.take(character);
        }
        Err((start, "this single quote is never closed"))
    }

    /// Between double quotes escapes and variables are.
    fn weak(&mut self) -> Result<(), Problem> {
        let start = self.open_quote();
        while let Some(character) = self.peek(0) {
            match character {
                '"' => {
                    self.at += 1;
                    return Ok(());
                }
                '\\' => self.escape(true),
                '$' => self.variable()?,
                _ => self.take(character),
            }
        }
        Err((start, "this double quote is never closed"))
    }

    /// A backslash makes the next character plain, or stands for one that cannot be typed. Before any other character it
    /// is a character itself.
    fn escape(&mut self, quoted: bool) {
        let next = self.peek(1);
        let plain = match next {
            Some(' ' | '\t' | '#' | '\\' | '"') => next,
            Some('\'') if !quoted => next,
            Some('$') if quoted => next,
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            _ => None,
        };
        let hexadecimal = (next == Some('x')).then(|| self.hexadecimal()).flatten();
        if let Some(character) = hexadecimal {
            self.push(character);
            self.at += 4;
        } else if let Some(character) = plain {
            self.push(character);
            self.at += 2;
        } else {
            self.take('\\');
        }
    }

    /// `\xNN`.
    fn hexadecimal(&self) -> Option<char> {
        let digits = [self.peek(2)?.to_digit(16)?, self.peek(3)?.to_digit(16)?];
        char::from_u32(digits[0] * 16 + digits[1])
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}`; an unset variable is an empty text.
    fn variable(&mut self) -> Result<(), Problem> {
        let start = self.at;
        self.at += 1;
        let braces = self.peek(0) == Some('{');
        if braces {
            self.at += 1;
        }
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        if name.is_empty() {
            return Err((start, "a variable's name must follow this dollar sign; write \\$ for the sign itself"));
        }
        let mut default = None;
        let mut several = false;
        if braces {
            if self.peek(0) == Some('[') && self.peek(1) == Some('*') && self.peek(2) == Some(']') {
                several = true;
                self.at += 3;
            }
            if self.peek(0) == Some('-') {
                self.at += 1;
                default = Some(self.take_while(|c| c != '}'));
            }
            if self.peek(0) != Some('}') {
                return Err((start, "the braces of this variable are never closed"));
            }
            self.at += 1;
        }
        let value = self.value(&name).or(default).unwrap_or_default();
        if several {
            self.push_each(start, &value);
        } else {
            value.chars().for_each(|character| self.push(character));
        }
        Ok(())
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            ".FILE" => Some(self.place.file.to_string()),
            ".LINE" => Some(self.place.line.to_string()),
            ".SECTION" => Some(self.place.section.clone().unwrap_or_default()),
            _ => self.place.environment.get(name).cloned(),
        }
    }

    /// The parts of a list between spaces, each a word.
    fn push_each(&mut self, start: usize, value: &str) {
        for (index, part) in value.split_whitespace().enumerate() {
            if index > 0 {
                self.end_word();
                self.word = Some((start, String::new()));
            }
            part.chars().for_each(|character| self.push(character));
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn open_quote(&mut self) -> usize {
        let start = self.at;
        self.word.get_or_insert_with(|| (start, String::new()));
        self.at += 1;
        start
    }

    fn take(&mut self, character: char) {
        self.push(character);
        self.at += 1;
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let text: String = self.rest[self.at..].iter().copied().take_while(|c| belongs(*c)).collect();
        self.at += text.chars().count();
        text
    }

    fn push(&mut self, character: char) {
        let at = self.at;
        self.word.get_or_insert_with(|| (at, String::new())).1.push(character);
    }

    fn end_word(&mut self) {
        if let Some((start, text)) = self.word.take() {
            let (position, length) = (self.position(start), self.length(start));
            self.words.push(Word { text, position, length });
        }
    }

    /// From a character of the line up to where the splitter has come.
    fn length(&self, start: usize) -> u32 {
        u32::try_from(self.at.saturating_sub(start)).unwrap_or(u32::MAX).max(1)
    }

    fn position(&self, at: usize) -> Position {
        // A line of four thousand million characters is not one.
        let column = u32::try_from(at + 1).unwrap_or(u32::MAX);
        Position { file: Arc::clone(self.place.file), line: self.place.line, column }
    }
}
