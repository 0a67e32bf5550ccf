//! Reading tables.

use super::guard::{Checked, Guarded, Memory, apart, damaged, describe};
use crate::error::excerpt;
use crate::memory;
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType as Stored};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::schema::types::{ColumnDescriptor, Type};
use polars::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::sync::Arc;

/// Rows that are decoded at a time.
const CHUNK: usize = 1 << 14;

/// The conversion of a column's values.
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
pub(in crate::trace) fn read(file: File, keep: &(dyn Fn(&str) -> bool + Sync)) -> Result<DataFrame, String> {
    apart(file, |file| columns_of(&SerializedFileReader::new(file).map_err(describe)?, keep))
}

/// [`read()`] of all columns, with the metadata in the footer by key.
///
/// # Errors
/// As [`read()`].
pub(in crate::trace) fn read_with_metadata(file: File) -> Result<(DataFrame, BTreeMap<String, String>), String> {
    apart(file, |file| {
        let file = SerializedFileReader::new(file).map_err(describe)?;
        let metadata = metadata_of(&file);
        Ok((columns_of(&file, &|_| true)?, metadata))
    })
}

/// The number of rows of a Parquet file.
///
/// # Errors
/// A sentence for the user, if the file is damaged.
pub(in crate::trace) fn read_rows(file: File) -> Result<usize, String> {
    apart(file, |file| {
        let file = SerializedFileReader::new(file).map_err(describe)?;
        usize::try_from(file.metadata().file_metadata().num_rows()).map_err(|_| damaged("a number of rows is negative"))
    })
}

/// The metadata in the footer of a Parquet file, by key.
///
/// # Errors
/// A sentence for the user, if the file is damaged.
pub(in crate::trace) fn read_metadata(file: File) -> Result<BTreeMap<String, String>, String> {
    apart(file, |file| {
        let file = SerializedFileReader::new(file).map_err(describe)?;
        Ok(metadata_of(&file))
    })
}

fn metadata_of(file: &SerializedFileReader<Guarded>) -> BTreeMap<String, String> {
    let entries = file.metadata().file_metadata().key_value_metadata().into_iter().flatten();
    entries.map(|entry| (entry.key.clone(), entry.value.clone().unwrap_or_default())).collect()
}

fn columns_of(file: &SerializedFileReader<Guarded>, keep: &dyn Fn(&str) -> bool) -> Result<DataFrame, String> {
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
    let memory = Memory::new(memory::Free::now().available());
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

/// The kind of a field that is more than one value per row.
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

/// The conversion of a flat column.
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
