//! The configuration of the kernel.

/// What is asked for; `make allnoconfig` leaves everything else out.
pub const FRAGMENT: &str = include_str!("fragment.config");

/// The lines of a fragment that set an option.
pub fn options(fragment: &str) -> impl Iterator<Item = &str> {
    fragment.lines().map(str::trim).filter(|line| line.starts_with("CONFIG_"))
}

/// The lines of a fragment that a final `.config` does not have.
///
/// Kconfig drops without a word what does not exist or whose dependencies are not met.
#[must_use]
pub fn missing(fragment: &str, config: &str) -> Vec<String> {
    let has: std::collections::HashSet<&str> = config.lines().map(str::trim_end).collect();
    options(fragment).filter(|line| !has.contains(line)).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_that_the_configuration_lacks_is_named() {
        let fragment = "# why\nCONFIG_A=y\nCONFIG_B=y\n\nCONFIG_C=\"null\"\nCONFIG_D=4\n";
        let config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"xterm\"\nCONFIG_D=4\nCONFIG_E=y\n";
        assert_eq!(missing(fragment, config), ["CONFIG_B=y", "CONFIG_C=\"null\""]);
    }

    #[test]
    fn a_longer_name_does_not_stand_for_a_shorter_one() {
        assert_eq!(missing("CONFIG_A=y", "CONFIG_A=yes\nXCONFIG_A=y"), ["CONFIG_A=y"]);
    }

    #[test]
    fn every_line_of_ours_is_a_comment_or_an_option_and_none_is_there_twice() {
        let mut seen = std::collections::HashSet::new();
        for line in FRAGMENT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, value) = line.split_once('=').unwrap_or_default();
            assert!(name.starts_with("CONFIG_") && !value.is_empty(), "{line}");
            assert!(seen.insert(name), "{line}");
        }
    }
}
