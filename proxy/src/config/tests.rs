//! Tests of the reading of configurations, one file for each matter.

mod lines;
mod manual;
mod places;
mod properties;
mod reading;
mod report;
mod values;
mod whole;
mod words;

use std::collections::HashMap;
use std::time::Duration;

use super::*;

fn read(text: &str) -> Configuration {
    Configuration::read(&[("haproxy.cfg", text)], &HashMap::new())
}

/// What is said about a text, each with its place.
fn notes(text: &str) -> Vec<String> {
    read(text).notes.iter().map(Note::to_string).collect()
}

/// A `listen` section about which nothing is to be said, and these lines in it, the first of which is line 8.
fn listen(lines: &str) -> String {
    format!(
        "listen lb\n bind :5672\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n log stdout local0\n server s1 10.0.0.1:5672\n{lines}\n"
    )
}

/// The proxy of [`listen`], and what is said about its lines.
fn listened(lines: &str) -> (Proxy, Vec<String>) {
    let mut read = read(&listen(lines));
    (read.proxies.remove(0), read.notes.iter().map(Note::to_string).collect())
}

/// A `global` section with these lines, the first of which is line 2, and a `listen` behind it.
fn global(lines: &str) -> (Global, Vec<String>) {
    let read = read(&format!("global\n{lines}\n{}", listen("")));
    (read.global, read.notes.iter().map(Note::to_string).collect())
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn nothing_is_said_about_the_sections_that_tests_build_on() {
    assert_eq!(listened("").1, [""; 0]);
    assert_eq!(global("").1, [""; 0]);
}
