//! Tables as Parquet, and back.
//!
//! Columns are flat: numbers, truth values and text. Text is plain UTF-8, which every reader can filter and group by; no schema of
//! Arrow or Polars is stored beside it. A file is read by its schema: a column of any kind of number is read as the numbers it
//! holds, and a column of another kind is refused by its name and type, before any of its bytes are decoded.

use crate::memory;
use crate::error::excerpt;
use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, Encoding, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType as Stored, DoubleType, FloatType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, FileReader, Length};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnDescriptor, Type};
use polars::prelude::*;
use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::sync::{Arc, Once};
use std::{panic, thread};

/// Rows of a row group, which is held in memory while it is encoded.
const GROUP: usize = 1 << 20;

/// Rows that are decoded at a time.
const CHUNK: usize = 1 << 14;

/// Writes tables of one schema, one after the other, as one Parquet file compressed with zstd.
pub(super) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
}

impl<W: Write + Send> Writer<W> {
    /// A writer to `sink` of tables with the columns of `like`, with `metadata` in the footer.
    ///
    /// # Errors
    /// If a column is of a type that is not written, or the sink fails.
    pub(super) fn new(sink: W, like: &DataFrame, metadata: &[(&str, String)]) -> Result<Self, ParquetError> {
        let fields = like.columns().iter().map(|column| field(column).map(Arc::new)).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
        let metadata =
            metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect::<Vec<_>>();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP))
            .set_key_value_metadata(Some(metadata))
            .set_created_by(format!("overparam {}", env!("CARGO_PKG_VERSION")));
        Ok(Self { file: SerializedFileWriter::new(sink, Arc::new(schema), Arc::new(properties.build()))? })
    }

    /// Appends the rows of `table`, which has the columns that the writer was made for.
    ///
    /// # Errors
    /// If the sink fails.
    pub(super) fn write(&mut self, table: &DataFrame) -> Result<(), ParquetError> {
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

    /// Ends the file.
    ///
    /// # Errors
    /// If the sink fails.
    pub(super) fn finish(self) -> Result<(), ParquetError> {
        self.file.close().map(|_| ())
    }
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
        _ => {
            // Text that is repeated row by row is held once.
            let mut last = ByteArray::from("");
            put!(str, ByteArrayType, |text: &str| {
                if last.data() != text.as_bytes() {
                    last = ByteArray::from(text);
                }
                last.clone()
            })
        }
    };
    into.close()
}

fn external(error: PolarsError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// How the values of a column are read.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    /// Two bytes.
    Half,
    /// An integer, of this many decimal places.
    Decimal(i32),
    Text,
}

/// Reads the columns of a Parquet file whose names `keep` keeps. Numbers come as they are stored; integers of 8 and 16 bits as
/// 32, half precision and decimals as f64.
///
/// # Errors
/// A sentence for the user: the file is damaged, or a column is neither a number, a truth value nor text.
pub(super) fn read(file: File, keep: &(dyn Fn(&str) -> bool + Sync)) -> Result<DataFrame, String> {
    apart(file, |file| read_columns(file, keep))
}

/// The metadata in the footer of a Parquet file, by key.
///
/// # Errors
/// A sentence for the user, if the file is damaged.
pub(super) fn read_metadata(file: File) -> Result<BTreeMap<String, String>, String> {
    apart(file, |file| {
        let file = SerializedFileReader::new(file).map_err(describe)?;
        let entries = file.metadata().file_metadata().key_value_metadata().into_iter().flatten();
        Ok(entries.map(|entry| (entry.key.clone(), entry.value.clone().unwrap_or_default())).collect())
    })
}

/// The number of rows of a Parquet file.
///
/// # Errors
/// A sentence for the user, if the file is damaged.
pub(super) fn read_rows(file: File) -> Result<usize, String> {
    apart(file, |file| {
        let file = SerializedFileReader::new(file).map_err(describe)?;
        usize::try_from(file.metadata().file_metadata().num_rows()).map_err(|_| damaged("a number of rows is negative"))
    })
}

fn read_columns(file: Guarded, keep: &dyn Fn(&str) -> bool) -> Result<DataFrame, String> {
    let file = SerializedFileReader::new(file).map_err(describe)?;
    let metadata = file.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let mut names = HashSet::new();
    for field in schema.root_schema().get_fields().iter().filter(|field| keep(field.name())) {
        if let Some(nested) = nested(field) {
            return Err(refused(field.name(), nested));
        }
        if !names.insert(field.name()) {
            return Err(format!("expected columns of different names, and two are '{}'", excerpt(field.name())));
        }
    }
    let kept = schema.columns().iter().enumerate().filter(|(_, column)| keep(&column.path().parts()[0]));
    let kinds = kept.map(|(index, column)| Ok((index, column, kind(column)?))).collect::<Result<Vec<_>, String>>()?;
    let groups = metadata.row_groups().iter().map(|group| usize::try_from(group.num_rows()));
    let groups = groups.collect::<Result<Vec<_>, _>>().map_err(|_| damaged("a number of rows is negative"))?;
    let rows = groups.iter().try_fold(0usize, |sum, &rows| sum.checked_add(rows));
    let rows = rows.ok_or_else(|| damaged("its number of rows is impossible"))?;
    if i64::try_from(rows) != Ok(metadata.file_metadata().num_rows()) {
        return Err(damaged("its parts have another number of rows than the whole"));
    }
    let memory = Memory(Cell::new(memory::Free::now().available()));
    let mut columns = Vec::with_capacity(kinds.len());
    for (index, descriptor, kind) in kinds {
        let mut series: Option<Series> = None;
        for (group, &rows) in groups.iter().enumerate() {
            let pages = file.get_row_group(group).and_then(|group| group.get_column_page_reader(index));
            let pages =
                Box::new(Checked { pages: pages.map_err(describe)?, rows, optional: descriptor.max_def_level() > 0 });
            let reader = get_column_reader(Arc::clone(descriptor), pages);
            let part = read_column(reader, descriptor, kind, rows, &memory)?;
            match &mut series {
                Some(series) => {
                    series.append(&part).map_err(|error| damaged(&error.to_string()))?;
                }
                None => series = Some(part),
            }
        }
        let series = series.map_or_else(|| empty(descriptor.name(), kind), Ok)?;
        columns.push(series.into_column());
    }
    DataFrame::new(rows, columns).map_err(|error| damaged(&error.to_string()))
}

/// A file of which no more is read than there is.
struct Guarded {
    file: File,
    length: u64,
}

/// Bytes of a page that are always taken for possible, and how many more each compressed byte may stand for: zstd makes up
/// to 2^15 of one.
const PAGE: u64 = 1 << 26;
const DENSEST: u64 = 1 << 16;

impl Length for Guarded {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Guarded {
    type T = BufReader<File>;

    /// A reader that begins with the header of a page. The memory for a page is taken by what its header says.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let mut reader = self.file.get_read(start)?;
        // The end of the file, which is no page.
        if start >= self.length.saturating_sub(8) {
            return Ok(reader);
        }
        let [_, plain, compressed] = page_sizes(reader.fill_buf()?).ok_or_else(impossible)?;
        if compressed > self.length || plain > PAGE.max(compressed.saturating_mul(DENSEST)) {
            return Err(impossible());
        }
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(impossible());
        }
        self.file.get_bytes(start, length)
    }
}

/// The first three numbers of a page's header: its kind, its size and its compressed size.
fn page_sizes(mut header: &[u8]) -> Option<[u64; 3]> {
    let mut found = [0; 3];
    for number in &mut found {
        // A 32-bit integer in the field after the last one, in Thrift's compact protocol.
        header = header.strip_prefix(&[0x15])?;
        let length = 1 + header.iter().take(9).position(|byte| byte & 0x80 == 0)?;
        let (bytes, rest) = header.split_at(length);
        let zigzag = bytes.iter().rev().fold(0u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
        if zigzag & 1 == 1 {
            return None;
        }
        (*number, header) = (zigzag >> 1, rest);
    }
    Some(found)
}

/// Pages that hold no more values than their row group has rows, nor than their bytes can be.
struct Checked {
    pages: Box<dyn PageReader>,
    rows: usize,
    optional: bool,
}

impl Checked {
    /// Whether the memory that the numbers of values in `page` call for is that of a page.
    fn is_possible(&self, page: &Page) -> bool {
        let (levels, encoding) = match *page {
            // Every value of a dictionary takes a byte at least.
            Page::DictionaryPage { ref buf, num_values, .. } => return num_values as usize <= buf.len(),
            Page::DataPage { ref buf, encoding, .. } => {
                let length = buf.first_chunk().map(|&length| u32::from_le_bytes(length) as usize);
                (if self.optional { length.and_then(|length| length.checked_add(4)) } else { Some(0) }, encoding)
            }
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, encoding, .. } => {
                (def_levels_byte_len.checked_add(rep_levels_byte_len).map(|length| length as usize), encoding)
            }
        };
        let values = || levels.and_then(|levels| page.buffer().get(levels..));
        let possible = match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => values().and_then(|values| after_lengths(values, self.rows)).is_some(),
            Encoding::DELTA_BYTE_ARRAY => {
                let suffixes = values().and_then(|values| after_lengths(values, self.rows));
                suffixes.and_then(|suffixes| after_lengths(suffixes, self.rows)).is_some()
            }
            _ => true,
        };
        possible && page.num_values() as usize <= self.rows
    }
}

/// What follows in `bytes` after at most `most` lengths in the encoding DELTA_BINARY_PACKED.
fn after_lengths(mut bytes: &[u8], most: usize) -> Option<&[u8]> {
    let number = |bytes: &mut &[u8]| {
        let length = 1 + bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
        let (number, rest) = bytes.split_at(length);
        *bytes = rest;
        number.iter().rev().try_fold(0usize, |sum, byte| Some(sum.checked_mul(128)? | usize::from(byte & 0x7f)))
    };
    let (block, parts, count) = (number(&mut bytes)?, number(&mut bytes)?, number(&mut bytes)?);
    number(&mut bytes)?;
    let each = block.checked_div(parts).filter(|&each| each > 0 && count <= most)?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        number(&mut bytes)?;
        let (widths, rest) = bytes.split_at_checked(parts)?;
        bytes = rest;
        for &width in widths {
            if left > 0 {
                bytes = bytes.get(each.checked_mul(usize::from(width))?.div_ceil(8)..)?;
                left = left.saturating_sub(each);
            }
        }
    }
    Some(bytes)
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        match self.pages.get_next_page()? {
            Some(page) if !self.is_possible(&page) => Err(impossible()),
            page => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.pages.skip_next_page()
    }
}

impl Iterator for Checked {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn impossible() -> ParquetError {
    ParquetError::General(IMPOSSIBLE.to_owned())
}

const IMPOSSIBLE: &str = "a length or an offset in it is impossible";

/// The bytes that are left for a table: a few of a file can stand for any number of equal values.
struct Memory(Cell<u64>);

impl Memory {
    fn take(&self, bytes: usize) -> Result<(), String> {
        let left = self.0.get().checked_sub(bytes as u64);
        self.0.set(left.ok_or("the table in it takes more memory than is free: expected one of fewer rows")?);
        Ok(())
    }
}

/// The kind of a field that is more than one value a row.
fn nested(field: &Type) -> Option<&'static str> {
    let info = field.get_basic_info();
    let repeated = info.has_repetition() && info.repetition() == Repetition::REPEATED;
    match info.logical_type_ref() {
        Some(LogicalType::Map) => Some("a map"),
        Some(LogicalType::List) => Some("a list"),
        _ if info.converted_type() == ConvertedType::MAP => Some("a map"),
        _ if info.converted_type() == ConvertedType::LIST || repeated => Some("a list"),
        _ if field.is_group() => Some("a struct"),
        _ => None,
    }
}

/// How a flat column is read.
fn kind(column: &ColumnDescriptor) -> Result<Kind, String> {
    let refuse = |kind: &str| Err(refused(column.name(), kind));
    let (physical, converted) = (column.physical_type(), column.converted_type());
    let logical = column.logical_type_ref();
    let scale = match logical {
        Some(LogicalType::Decimal(decimal)) => Some(decimal.scale),
        _ if converted == ConvertedType::DECIMAL => Some(column.type_scale()),
        _ => None,
    };
    if let Some(scale) = scale {
        return Ok(Kind::Decimal(scale));
    }
    match logical {
        Some(LogicalType::Date) => return refuse("a date"),
        Some(LogicalType::Time(_)) => return refuse("a time"),
        Some(LogicalType::Timestamp(_)) => return refuse("a time stamp"),
        Some(LogicalType::Uuid) => return refuse("a UUID"),
        Some(LogicalType::Float16) => return Ok(Kind::Half),
        _ => {}
    }
    match converted {
        ConvertedType::DATE => return refuse("a date"),
        ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS => return refuse("a time"),
        ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS => return refuse("a time stamp"),
        ConvertedType::INTERVAL => return refuse("a duration"),
        _ => {}
    }
    let unsigned = match logical {
        Some(LogicalType::Integer(integer)) => !integer.is_signed,
        _ => matches!(
            converted,
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        ),
    };
    let text = matches!(logical, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json))
        || matches!(converted, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON);
    match physical {
        Physical::BOOLEAN => Ok(Kind::Bool),
        Physical::INT32 if unsigned => Ok(Kind::U32),
        Physical::INT32 => Ok(Kind::I32),
        Physical::INT64 if unsigned => Ok(Kind::U64),
        Physical::INT64 => Ok(Kind::I64),
        Physical::FLOAT => Ok(Kind::F32),
        Physical::DOUBLE => Ok(Kind::F64),
        Physical::BYTE_ARRAY if text => Ok(Kind::Text),
        Physical::INT96 => refuse("a time stamp"),
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => refuse("bytes"),
    }
}

/// Column `descriptor` of a row group of `rows` rows.
fn read_column(
    reader: ColumnReader,
    descriptor: &ColumnDescriptor,
    kind: Kind,
    rows: usize,
    memory: &Memory,
) -> Result<Series, String> {
    let name = PlSmallStr::from(descriptor.name());
    let optional = descriptor.max_def_level() > 0;
    macro_rules! values {
        ($reader:expr, $each:expr) => {
            Series::new(name, read_values($reader, optional, rows, memory, $each)?)
        };
    }
    Ok(match (kind, reader) {
        (Kind::Bool, ColumnReader::BoolColumnReader(reader)) => values!(reader, |value| Ok(*value)),
        (Kind::I32, ColumnReader::Int32ColumnReader(reader)) => values!(reader, |value| Ok(*value)),
        (Kind::U32, ColumnReader::Int32ColumnReader(reader)) => {
            values!(reader, |value: &i32| Ok(value.cast_unsigned()))
        }
        (Kind::I64, ColumnReader::Int64ColumnReader(reader)) => values!(reader, |value| Ok(*value)),
        (Kind::U64, ColumnReader::Int64ColumnReader(reader)) => {
            values!(reader, |value: &i64| Ok(value.cast_unsigned()))
        }
        (Kind::F32, ColumnReader::FloatColumnReader(reader)) => values!(reader, |value| Ok(*value)),
        (Kind::F64, ColumnReader::DoubleColumnReader(reader)) => values!(reader, |value| Ok(*value)),
        (Kind::Half, ColumnReader::FixedLenByteArrayColumnReader(reader)) => {
            values!(reader, |value| match value.data() {
                &[low, high] => Ok(half(u16::from_le_bytes([low, high]))),
                _ => Err(damaged("a number of half precision is not of two bytes")),
            })
        }
        (Kind::Decimal(scale), ColumnReader::Int32ColumnReader(reader)) => {
            values!(reader, |value: &i32| decimal(&value.to_be_bytes(), scale))
        }
        (Kind::Decimal(scale), ColumnReader::Int64ColumnReader(reader)) => {
            values!(reader, |value: &i64| decimal(&value.to_be_bytes(), scale))
        }
        (Kind::Decimal(scale), ColumnReader::ByteArrayColumnReader(reader)) => {
            values!(reader, |value: &ByteArray| decimal(value.data(), scale))
        }
        (Kind::Decimal(scale), ColumnReader::FixedLenByteArrayColumnReader(reader)) => {
            values!(reader, |value| decimal(value.data(), scale))
        }
        (Kind::Text, ColumnReader::ByteArrayColumnReader(reader)) => values!(reader, |value: &ByteArray| {
            memory.take(2 * value.len())?;
            value.as_utf8().map(str::to_owned).map_err(|_| damaged("a text in it is not UTF-8"))
        }),
        _ => return Err(damaged("a column is stored as another type than its own")),
    })
}

/// All values of a column of `rows` rows, each as `each` has it.
fn read_values<T: Stored, V>(
    mut reader: ColumnReaderImpl<T>,
    optional: bool,
    rows: usize,
    memory: &Memory,
    each: impl Fn(&T::T) -> Result<V, String>,
) -> Result<Vec<Option<V>>, String> {
    let mut found = Vec::new();
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    while found.len() < rows {
        values.clear();
        levels.clear();
        let most = CHUNK.min(rows - found.len());
        let into = optional.then_some(&mut levels);
        let (records, _, _) = reader.read_records(most, into, None, &mut values).map_err(describe)?;
        if records == 0 {
            break;
        }
        // As they are collected, and as a column.
        memory.take(2 * records * size_of::<Option<V>>())?;
        let mut values = values.iter();
        if optional {
            for &level in &levels {
                found.push(if level == 0 { None } else { values.next().map(&each).transpose()? });
            }
        } else {
            for value in values {
                found.push(Some(each(value)?));
            }
        }
    }
    values.clear();
    levels.clear();
    let (more, _, _) = reader.read_records(1, optional.then_some(&mut levels), None, &mut values).map_err(describe)?;
    if found.len() == rows && more == 0 {
        return Ok(found);
    }
    Err(damaged("a column has another number of values than there are rows"))
}

/// A column without rows.
fn empty(name: &str, kind: Kind) -> Result<Series, String> {
    let dtype = match kind {
        Kind::Bool => DataType::Boolean,
        Kind::I32 => DataType::Int32,
        Kind::U32 => DataType::UInt32,
        Kind::I64 => DataType::Int64,
        Kind::U64 => DataType::UInt64,
        Kind::F32 => DataType::Float32,
        Kind::F64 | Kind::Half | Kind::Decimal(_) => DataType::Float64,
        Kind::Text => DataType::String,
    };
    Ok(Series::new_empty(name.into(), &dtype))
}

/// The number of half precision with these bits.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// A decimal number of `scale` places: an integer in two's complement, the most significant byte first.
fn decimal(bytes: &[u8], scale: i32) -> Result<f64, String> {
    let negative = bytes.first().is_some_and(|&first| first >= 128);
    let significant = bytes.iter().skip_while(|&&byte| byte == if negative { 255 } else { 0 });
    if significant.clone().count() > 32 {
        return Err(damaged("a decimal number in it has more than 256 bits"));
    }
    // The magnitude in groups of nine digits, the lowest first.
    const GROUP: u64 = 1_000_000_000;
    let mut groups = vec![0];
    let mut append = |factor: u64, digit: u64| {
        let mut carry = digit;
        for group in &mut groups {
            (*group, carry) = ((*group * factor + carry) % GROUP, (*group * factor + carry) / GROUP);
        }
        if carry > 0 {
            groups.push(carry);
        }
    };
    for &byte in significant {
        append(256, u64::from(if negative { !byte } else { byte }));
    }
    // A negative number is the complement of its magnitude, plus one.
    append(1, u64::from(negative));
    let sign = if negative { "-" } else { "" };
    let digits: String = groups.iter().rev().map(|group| format!("{group:09}")).collect();
    // Parsed rather than divided: the nearest double is what the digits mean.
    let number = format!("{sign}{digits}e{}", -i64::from(scale));
    number.parse().map_err(|_| damaged("a decimal number in it cannot be read"))
}

fn refused(column: &str, kind: &str) -> String {
    format!("column '{}' is {kind}: expected a number, a truth value or text in every column", excerpt(column))
}

fn damaged(how: &str) -> String {
    format!("expected a whole Parquet file, and this one is damaged: {how}")
}

/// What is wrong with a file that cannot be read.
fn describe(error: ParquetError) -> String {
    match error {
        ParquetError::NYI(_) => {
            "expected an encoding and a compression in common use, such as those that pyarrow, pandas or \
                                 Polars take unless asked for others"
                .to_owned()
        }
        ParquetError::General(text) if text.contains("encrypt") => "expected a file that is not encrypted".to_owned(),
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) if source.raw_os_error().is_some() => format!("it cannot be read: {source}"),
            _ => damaged(CHANGED),
        },
        _ => damaged(CHANGED),
    }
}

const CHANGED: &str = "it was cut short or changed";

/// Bytes of stack for every byte of a footer, whose fields can be nested as deep as it is long.
const STACK: usize = 512;

/// What `work` makes of a file, on a thread of its own: the reader checks most of what it reads, but not all, so a damaged file
/// can make it panic, which is caught here and not printed, or nest its schema deeper than an ordinary stack.
fn apart<T: Send>(file: File, work: impl FnOnce(Guarded) -> Result<T, String> + Send) -> Result<T, String> {
    thread_local! {
        /// Whether the panics of this thread are not for the user.
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            if !QUIET.get() {
                before(information);
            }
        }));
    });
    let file = Guarded { length: file.metadata().map(|metadata| metadata.len()).unwrap_or(0), file };
    let tail = file.length.checked_sub(8).and_then(|start| file.file.get_bytes(start, 8).ok());
    let footer = tail.map_or(0, |tail| u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]])));
    let stack = (1 << 21) + STACK * footer.min(file.length) as usize;
    thread::scope(|scope| {
        let work = || {
            QUIET.set(true);
            work(file)
        };
        let reading = thread::Builder::new().stack_size(stack).spawn_scoped(scope, work);
        let reading =
            reading.map_err(|_| "its description of the columns takes more memory than is free".to_owned())?;
        reading.join().unwrap_or_else(|_| Err(damaged(IMPOSSIBLE)))
    })
}
