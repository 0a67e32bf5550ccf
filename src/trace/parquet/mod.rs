//! Tables as Parquet, and back.
//!
//! Columns are flat: numbers, truth values and text. Text is plain UTF-8, which every reader can filter and group by; no schema of
//! Arrow or Polars is stored beside it. A file is read by its schema: a column of any kind of number is read as the numbers it
//! holds, and a column of another kind is refused by its name and type, before any of its bytes are decoded.

mod guard;
mod read;
mod thrift;
mod write;

pub(super) use read::{read, read_metadata, read_rows, read_with_metadata};
pub(super) use write::Writer;
