//! The log: where lines go, which, and in what form (manual, sections 3.1, 4.2 and 8).

use super::super::arguments::{Arguments, Form};
use super::super::directive::{ALL, BACKENDS, Directive, FRONTENDS, GLOBAL};
use super::super::global::LogHostname;
use super::super::settings::Settings;
use super::super::{LogTarget, NoteKind, SessionFormat};

const AS_TCPLOG: &str = "it is for HTTP mode, and taken for `option tcplog` with a warning";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "log",
        GLOBAL,
        "<address> [len <length>] [format <format>] <facility> [<level> [<minlevel>]]",
        "where events go, and sessions of proxies with `log global`",
    )
    .negatable()
    .global(|global, a| match a.form {
        Form::Plain => global.logs.extend(LogTarget::read(a)),
        Form::No | Form::Default => global.logs.clear(),
    }),
    Directive::new("log-tag", GLOBAL, "<name>", "the program's name in log lines").global(|global, a| {
        global.log_tag = a.text("a name");
    }),
    Directive::new("log-send-hostname", GLOBAL, "[<name>]", "the host's name is in log lines").global(|global, a| {
        let name = a.next().map(|word| LogHostname::Name(word.text.clone()));
        global.log_send_hostname = Some(name.unwrap_or(LogHostname::System));
    }),
    Directive::new(
        "log",
        ALL,
        "global | <address> [len <length>] [format <format>] <facility> [<level> [<minlevel>]]",
        "where sessions go",
    )
    .negatable()
    .proxy(|settings, a| {
        let proxy = &mut settings.proxy;
        if a.form != Form::Plain {
            proxy.log_global = false;
            proxy.logs.clear();
        } else if a.take("global").is_some() {
            proxy.log_global = true;
            let missing = settings.global_logs.iter().filter(|log| !proxy.logs.contains(log));
            let missing: Vec<LogTarget> = missing.cloned().collect();
            proxy.logs.extend(missing);
        } else {
            proxy.logs.extend(LogTarget::read(a));
        }
    }),
    Directive::new("log-tag", ALL, "<name>", "the program's name in log lines").proxy(|settings, a| {
        settings.proxy.log_tag = a.text("a name");
    }),
    Directive::new("option tcplog", FRONTENDS, "", "sessions are logged with their times and how they ended")
        .proxy(tcplog),
    Directive::new("option dontlognull", FRONTENDS, "", "sessions in which the client sent nothing are not logged")
        .switch(|proxy, on| proxy.logging.dontlognull = on),
    Directive::new("option dontlog-normal", FRONTENDS, "", "sessions that ended as they should are not logged")
        .switch(|proxy, on| proxy.logging.dontlog_normal = on),
    Directive::new("option logasap", FRONTENDS, "", "sessions are logged as soon as the server is connected")
        .switch(|proxy, on| proxy.logging.asap = on),
    Directive::new("option log-separate-errors", FRONTENDS, "", "sessions that ended badly are logged as errors")
        .switch(|proxy, on| proxy.logging.separate_errors = on),
    Directive::new("option log-health-checks", BACKENDS, "", "every change of a health check's result is logged")
        .switch(|proxy, on| proxy.logging.health_checks = on),
    Directive::new("log-format", FRONTENDS, "<format>", "how sessions are logged; `%[…]` in it is refused").proxy(
        |settings, a| {
            settings.proxy.log_format = session_format(a);
            settings.places.log_format = a.keyword.last().cloned();
        },
    ),
    Directive::unsupported("log-format-sd", FRONTENDS, "lines have no structured data"),
    Directive::new("error-log-format", FRONTENDS, "<format>", "how it is logged that a session could not begin")
        .proxy(|settings, a| settings.proxy.error_log_format = session_format(a)),
    Directive::new("option httplog", FRONTENDS, "[clf]", AS_TCPLOG).proxy(httplog),
    Directive::new("option httpslog", FRONTENDS, "", AS_TCPLOG).proxy(httplog),
];

fn tcplog(settings: &mut Settings, arguments: &mut Arguments<'_>) {
    settings.proxy.log_format = Some(SessionFormat::tcplog());
    settings.places.log_format = arguments.keyword.last().cloned();
}

fn session_format(arguments: &mut Arguments<'_>) -> Option<SessionFormat> {
    let word = arguments.required("a format")?;
    Some(arguments.with_notes(|notes| SessionFormat::parse(word, notes)))
}

/// HAProxy falls back in the same way in TCP mode (`proxy_cfg_ensure_no_http`).
fn httplog(settings: &mut Settings, arguments: &mut Arguments<'_>) {
    tcplog(settings, arguments);
    arguments.take("clf");
    let message = format!("`{}` is for HTTP mode; it is taken for `option tcplog`", arguments.name());
    arguments.note_keyword(NoteKind::Warning, message);
}
