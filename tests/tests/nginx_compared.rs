//! nginx beside HAProxy in the same situations: the verdicts differ where the table says so, and nowhere else.

use whyclosed_tests::nginx::SITUATIONS;
use whyclosed_tests::{Result, ensure};

#[test]
fn nginx_differs_from_haproxy_as_listed() -> Result {
    let mut wrong = String::new();
    for situation in SITUATIONS {
        let (found, listed) = (situation.found()?, situation.listed());
        let mut say = |(connection, what): &(String, String), how| {
            wrong.push_str(&format!("\n  {} and {}: {connection} {what}: {how}", situation.nginx, situation.haproxy));
        };
        found.difference(&listed).for_each(|key| say(key, "differs, and is not listed"));
        listed.difference(&found).for_each(|key| say(key, "is listed, and does not differ"));
    }
    ensure!(wrong.is_empty(), "tests/src/nginx.rs:{wrong}");
    Ok(())
}
