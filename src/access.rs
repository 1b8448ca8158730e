//! Who may do what: with the stacks, and with what they deploy.

pub mod deployer;
