//! Writing tables.

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use polars::prelude::*;
use std::io::Write;
use std::sync::Arc;

/// Rows of a row group, which is held in memory while it is encoded.
const GROUP: usize = 1 << 20;

/// The most rows of a small file, and the most bytes of a column that is not worth compressing.
const FEW: usize = 64;
const LITTLE: usize = 512;

/// Writes tables of one schema, one after the other, as one Parquet file compressed with zstd.
pub(in crate::trace) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<(PlSmallStr, DataType)>,
}

impl<W: Write + Send> Writer<W> {
    /// A writer to `sink` of tables with the columns of `like`, with `metadata` in the footer; of that table `alone`, or of others after it.
    ///
    /// # Errors
    /// If a column is of a type that is not written, or the sink fails.
    pub(in crate::trace) fn new(
        sink: W,
        like: &DataFrame,
        alone: bool,
        metadata: &[(&str, String)],
    ) -> Result<Self, ParquetError> {
        let fields = like.columns().iter().map(|column| field(column).map(Arc::new)).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
        let metadata =
            metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect::<Vec<_>>();
        let small = alone && like.height() <= FEW;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // In a file of a few rows these take more room than the values.
            .set_dictionary_enabled(!small)
            .set_statistics_enabled(if small { EnabledStatistics::None } else { EnabledStatistics::Page })
            .set_max_row_group_row_count(Some(GROUP))
            .set_key_value_metadata(Some(metadata))
            .set_created_by(format!("overparam {}", env!("CARGO_PKG_VERSION")));
        // A compressor of its own for every column takes longer than all else in a small file.
        for column in
            like.columns().iter().filter(|column| alone && column.as_materialized_series().estimated_size() <= LITTLE)
        {
            properties = properties.set_column_compression(column.name().as_str().into(), Compression::UNCOMPRESSED);
        }
        let file = SerializedFileWriter::new(sink, Arc::new(schema), Arc::new(properties.build()))?;
        Ok(Self { file, columns: columns(like).collect() })
    }

    /// Appends the rows of `table`.
    ///
    /// # Errors
    /// If `table` has other columns than those that the writer was made for, or the sink fails.
    pub(in crate::trace) fn write(&mut self, table: &DataFrame) -> Result<(), ParquetError> {
        if !columns(table).eq(self.columns.iter().cloned()) {
            let names = |columns: &mut dyn Iterator<Item = (PlSmallStr, DataType)>| {
                columns.map(|(name, kind)| format!("{name} ({kind})")).collect::<Vec<_>>().join(", ")
            };
            let (expected, found) = (names(&mut self.columns.iter().cloned()), names(&mut columns(table)));
            let problem = format!("expected the columns of the first table in all ({expected}), and one has {found}");
            return Err(ParquetError::General(problem));
        }
        let mut first = 0;
        while first < table.height() {
            let part = table.slice(first as i64, GROUP);
            let mut group = self.file.next_row_group()?;
            for column in part.columns() {
                put_column(&mut group, column)?;
            }
            group.close()?;
            first += GROUP;
        }
        Ok(())
    }

    /// Ends the file, with one more entry in its metadata.
    ///
    /// # Errors
    /// If the sink fails.
    pub(in crate::trace) fn finish(mut self, key: &str, value: String) -> Result<(), ParquetError> {
        self.file.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        self.file.close().map(|_| ())
    }
}

/// The names and types of a table's columns.
fn columns(table: &DataFrame) -> impl Iterator<Item = (PlSmallStr, DataType)> {
    table.columns().iter().map(|column| (column.name().clone(), column.dtype().clone()))
}

/// The column's name and type in the schema. Every column may hold nulls, so that files with and without can be joined.
fn field(column: &Column) -> Result<Type, ParquetError> {
    let unsigned = |bit_width| Some(LogicalType::integer(bit_width, false));
    let (physical, logical) = match column.dtype() {
        DataType::Boolean => (Physical::BOOLEAN, None),
        DataType::Int32 => (Physical::INT32, None),
        DataType::UInt32 => (Physical::INT32, unsigned(32)),
        DataType::Int64 => (Physical::INT64, None),
        DataType::UInt64 => (Physical::INT64, unsigned(64)),
        DataType::Float32 => (Physical::FLOAT, None),
        DataType::Float64 => (Physical::DOUBLE, None),
        DataType::String => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        other => {
            let problem = format!(
                "column '{}' is of the type {other}: expected 32 or 64 bit numbers, truth values or text",
                column.name()
            );
            return Err(ParquetError::General(problem));
        }
    };
    Type::primitive_type_builder(column.name(), physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

fn put_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    column: &Column,
) -> Result<(), ParquetError> {
    let series = column.as_materialized_series();
    let levels: Vec<i16> = series.is_not_null().iter().map(|there| i16::from(there == Some(true))).collect();
    let mut into = group.next_column()?.ok_or_else(|| ParquetError::General("one column too many".to_owned()))?;
    macro_rules! put {
        ($of:ident, $stored:ty, $each:expr) => {{
            let values = series.$of().map_err(external)?.iter().flatten().map($each).collect::<Vec<_>>();
            into.typed::<$stored>().write_batch(&values, Some(&levels), None)?
        }};
    }
    match series.dtype() {
        DataType::Boolean => put!(bool, BoolType, |value| value),
        DataType::Int32 => put!(i32, Int32Type, |value| value),
        DataType::UInt32 => put!(u32, Int32Type, |value| value.cast_signed()),
        DataType::Int64 => put!(i64, Int64Type, |value| value),
        DataType::UInt64 => put!(u64, Int64Type, |value| value.cast_signed()),
        DataType::Float32 => put!(f32, FloatType, |value| value),
        DataType::Float64 => put!(f64, DoubleType, |value| value),
        _ => put!(str, ByteArrayType, ByteArray::from),
    };
    into.close()
}

fn external(error: PolarsError) -> ParquetError {
    ParquetError::External(Box::new(error))
}
