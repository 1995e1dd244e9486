//! Variables that a configuration sets (manual, sections 2.3 and 3.1).

use super::super::directive::{Directive, GLOBAL};

const ENVIRONMENT: &str = "variables are those of the environment";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::unsupported("setenv", GLOBAL, ENVIRONMENT),
    Directive::unsupported("presetenv", GLOBAL, ENVIRONMENT),
    Directive::unsupported("resetenv", GLOBAL, ENVIRONMENT),
    Directive::unsupported("unsetenv", GLOBAL, ENVIRONMENT),
    Directive::unsupported("set-var", GLOBAL, "no rule reads a variable"),
    Directive::unsupported("set-var-fmt", GLOBAL, "no rule reads a variable"),
];
