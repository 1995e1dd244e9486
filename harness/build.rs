//! How the program is linked.

fn main() {
    // Each start of a position-independent program writes to hundreds of its pages to relocate itself, and in a guest each first write
    // to a page costs what ten system calls cost.
    println!("cargo:rustc-link-arg-bins=-no-pie");
    println!("cargo:rerun-if-changed=build.rs");
}
