//! What a run leaves behind: `results.json`, evidence and capture of each case, and the table on the terminal.

pub mod results;
pub mod table;
