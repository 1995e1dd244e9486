//! `server` and `default-server` lines (manual, section 5.2).

use std::time::Duration;

use super::proxy::{Check, Server};
use super::{Note, NoteKind, ServerAddress, Word, note, parse_duration};

/// The settings that servers start from.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerDefaults {
    checked: bool,
    check: Check,
    shutdown_sessions_when_down: bool,
    shutdown_backup_sessions_when_up: bool,
    backup: bool,
    maxconn: Option<u32>,
}

/// Reads a server. What is not known of its settings becomes a note beside it.
pub(super) fn read(
    name: &Word,
    address: &Word,
    settings: &[Word],
    defaults: &ServerDefaults,
) -> Result<(Server, Option<Note>), Note> {
    let server_address = ServerAddress::parse(&address.text).ok_or_else(|| {
        note(
            address,
            NoteKind::Malformed,
            &format!("`{}` is no server's address: expected address[:port]", address.text),
        )
    })?;
    let mut own = defaults.clone();
    let found = own.read(settings).err();
    let server = Server {
        name: name.text.clone(),
        address: server_address,
        check: own.checked.then_some(own.check),
        shutdown_sessions_when_down: own.shutdown_sessions_when_down,
        shutdown_backup_sessions_when_up: own.shutdown_backup_sessions_when_up,
        backup: own.backup,
        maxconn: own.maxconn,
        position: name.position.clone(),
    };
    Ok((server, found))
}

impl ServerDefaults {
    /// Takes settings over, up to the first that is not understood.
    pub(super) fn read(&mut self, settings: &[Word]) -> Result<(), Note> {
        let mut settings = settings.iter();
        while let Some(setting) = settings.next() {
            match setting.text.as_str() {
                "check" => self.checked = true,
                "no-check" => self.checked = false,
                "backup" => self.backup = true,
                "no-backup" => self.backup = false,
                "inter" => self.check.interval = time(setting, settings.next())?,
                "fastinter" => self.check.fast_interval = Some(time(setting, settings.next())?),
                "downinter" => self.check.down_interval = Some(time(setting, settings.next())?),
                "rise" => self.check.rise = count(setting, settings.next())?,
                "fall" => self.check.fall = count(setting, settings.next())?,
                "maxconn" => self.maxconn = Some(count(setting, settings.next())?),
                "on-marked-down" => {
                    self.shutdown_sessions_when_down = value(setting, settings.next())?.text == "shutdown-sessions";
                }
                "on-marked-up" => {
                    self.shutdown_backup_sessions_when_up =
                        value(setting, settings.next())?.text == "shutdown-backup-sessions";
                }
                // Which server takes a session, and not how it ends.
                "weight" | "id" | "cookie" => {
                    value(setting, settings.next())?;
                }
                other => {
                    return Err(note(
                        setting,
                        NoteKind::Unknown,
                        &format!("server settings from `{other}` on are not read"),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn value<'a>(setting: &Word, value: Option<&'a Word>) -> Result<&'a Word, Note> {
    value.ok_or_else(|| note(setting, NoteKind::Malformed, &format!("`{}` lacks its value", setting.text)))
}

fn time(setting: &Word, word: Option<&Word>) -> Result<Duration, Note> {
    let word = value(setting, word)?;
    parse_duration(&word.text, Duration::from_millis(1))
        .map_err(|error| note(word, NoteKind::Malformed, &format!("`{}`: {error}", word.text)))
}

fn count(setting: &Word, word: Option<&Word>) -> Result<u32, Note> {
    let word = value(setting, word)?;
    word.text.parse().map_err(|_| note(word, NoteKind::Malformed, &format!("`{}` is not a whole number", word.text)))
}
