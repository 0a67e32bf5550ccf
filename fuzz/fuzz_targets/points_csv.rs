#![no_main]
//! Points in CSV.

mod scratch;

use libfuzzer_sys::fuzz_target;
use overparam::points;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(found) = points::read(scratch::file("a.csv", bytes), [-5.0, 5.0]) {
        assert!(found.dimension > 0 && found.x.iter().all(|x| (0.0..=1.0).contains(x)));
        assert_eq!(found.x.len() % found.dimension, 0);
    }
});
