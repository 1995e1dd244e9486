//! Programs within the proxy (manual, section 3.1 `lua-load`).

use super::super::directive::{Directive, GLOBAL};

const NO_LUA: &str = "there is no Lua here";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::unsupported("lua-load", GLOBAL, NO_LUA),
    Directive::unsupported("lua-load-per-thread", GLOBAL, NO_LUA),
    Directive::moot("lua-prepend-path", GLOBAL, NO_LUA),
    Directive::moot("tune.lua.forced-yield", GLOBAL, NO_LUA),
    Directive::moot("tune.lua.maxmem", GLOBAL, NO_LUA),
    Directive::moot("tune.lua.service-timeout", GLOBAL, NO_LUA),
    Directive::moot("tune.lua.session-timeout", GLOBAL, NO_LUA),
    Directive::moot("tune.lua.task-timeout", GLOBAL, NO_LUA),
];
