//! Whatever a stack file holds, reading it ends with a stack or with complaints that can be shown.
//!
//! `cargo +nightly fuzz run stack_file fuzz/corpus/stack_file stacks tests/suite/spec`

#![no_main]

use libfuzzer_sys::fuzz_target;
use stackgen::spec;

fuzz_target!(|text: &[u8]| {
    if let Err(report) = spec::read("fuzz.yaml", text) {
        assert!(report.findings().count() > 0);
        let _ = format!("{:?}", miette::Report::new(report));
    }
});
