//! Checksums of tables.

use polars::prelude::*;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The checksum of a table that is given in parts, one below the other. It does not depend on how the table is parted, nor on how
/// a file stores it.
///
/// It is the SHA-256 of the names, the types and the SHA-256 of all columns in turn. That of a column is taken over its values: a
/// byte 1 and the value's bytes, the least significant first, of text its length as 64 bits and UTF-8; a byte 0 for null.
pub(super) struct Checksum(Vec<(PlSmallStr, DataType, Sha256)>);

impl Checksum {
    /// The checksum of tables with the columns of `like`, so far without rows.
    pub fn new(like: &DataFrame) -> Self {
        let column = |column: &Column| (column.name().clone(), column.dtype().clone(), Sha256::new());
        Self(like.columns().iter().map(column).collect())
    }

    /// Adds the rows of `table`, which has the columns of all.
    ///
    /// # Errors
    /// If a column is of a type that is not written.
    pub fn add(&mut self, table: &DataFrame) -> PolarsResult<()> {
        for (column, (_, _, digest)) in table.columns().iter().zip(&mut self.0) {
            digest.update(bytes(column.as_materialized_series())?);
        }
        Ok(())
    }

    /// The checksum, in hexadecimal digits.
    pub fn finish(self) -> String {
        let mut all = Sha256::new();
        for (name, kind, digest) in self.0 {
            all.update(format!("{name}\0{kind}\0"));
            all.update(digest.finalize());
        }
        hexadecimal(&all.finalize())
    }
}

/// The checksum of a table.
///
/// # Errors
/// If a column is of a type that is not written.
pub(super) fn checksum(table: &DataFrame) -> PolarsResult<String> {
    let mut checksum = Checksum::new(table);
    checksum.add(table)?;
    Ok(checksum.finish())
}

/// `bytes` as text.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that the checksum of a column is taken over.
fn bytes(series: &Series) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    macro_rules! put {
        ($of:ident) => {
            for value in series.$of()?.iter() {
                match value {
                    Some(value) => {
                        bytes.push(1);
                        bytes.extend(value.to_le_bytes());
                    }
                    None => bytes.push(0),
                }
            }
        };
    }
    match series.dtype() {
        DataType::Boolean => {
            bytes.extend(series.bool()?.iter().flat_map(|value| match value {
                Some(value) => vec![1, u8::from(value)],
                None => vec![0],
            }));
        }
        DataType::Int32 => put!(i32),
        DataType::UInt32 => put!(u32),
        DataType::Int64 => put!(i64),
        DataType::UInt64 => put!(u64),
        DataType::Float32 => put!(f32),
        DataType::Float64 => put!(f64),
        _ => {
            for value in series.str()?.iter() {
                match value {
                    Some(value) => {
                        bytes.push(1);
                        bytes.extend((value.len() as u64).to_le_bytes());
                        bytes.extend(value.as_bytes());
                    }
                    None => bytes.push(0),
                }
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(numbers: &[Option<f64>], texts: &[&str]) -> DataFrame {
        let columns = vec![Column::new("a".into(), numbers), Column::new("b".into(), texts)];
        DataFrame::new(numbers.len(), columns).unwrap()
    }

    #[test]
    fn a_checksum_depends_on_every_value_and_not_on_the_parts() {
        let whole = table(&[Some(1.0), None, Some(-0.0)], &["x", "", "yz"]);
        let mut parted = Checksum::new(&whole);
        parted.add(&whole.slice(0, 1)).unwrap();
        parted.add(&whole.slice(1, 2)).unwrap();
        let sum = checksum(&whole).unwrap();
        assert_eq!(parted.finish(), sum);
        for other in [
            table(&[Some(1.0), None, Some(0.0)], &["x", "", "yz"]),
            table(&[Some(1.0), Some(0.0), Some(-0.0)], &["x", "", "yz"]),
            table(&[Some(1.0), None, Some(-0.0)], &["x", "y", "z"]),
            table(&[Some(1.0), None], &["x", ""]),
            whole.select(["b", "a"]).unwrap(),
        ] {
            assert_ne!(checksum(&other).unwrap(), sum, "{other}");
        }
    }
}
