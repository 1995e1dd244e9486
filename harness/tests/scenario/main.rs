//! Scenario files: what a good one becomes, and what a bad one gets.

mod cases;
mod errors;
mod files;
mod firewalls;
mod matrix;
mod properties;
mod words;
