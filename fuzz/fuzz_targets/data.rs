#![no_main]
//! Numbers for expressions: CSV after a first byte that is odd, else Parquet.

mod scratch;

use libfuzzer_sys::fuzz_target;
use overparam::expression::Data;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    // A Parquet file begins with a P, which is even.
    let name = if first & 1 == 1 { "a.csv" } else { "a.parquet" };
    let _ = Data::read(scratch::file(name, if first & 1 == 1 { rest } else { bytes }));
});
