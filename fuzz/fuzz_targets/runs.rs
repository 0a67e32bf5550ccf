#![no_main]
//! Runs in Parquet, as `Run::save` and stores write them.

mod scratch;

use libfuzzer_sys::fuzz_target;
use overparam::experiment::Run;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(run) = Run::load(scratch::file("a.parquet", bytes)) {
        assert_eq!(run.x.len(), run.dimensions.d);
        let _ = (run.trace(), run.to_string());
    }
});
