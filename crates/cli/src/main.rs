//! narrowgate
fn main() {}
