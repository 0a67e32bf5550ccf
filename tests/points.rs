//! Points from CSV and Parquet: what is read, what is refused and how, and that no file makes the reader panic.

use overparam::points::{self, Points};
use overparam::{Error, Function, trace};
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type,
};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use polars::prelude::{Column, DataFrame};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tempfile::TempDir;

const BOX: [f64; 2] = [-5.12, 5.12];

fn folder() -> TempDir {
    tempfile::tempdir().expect("the temporary folder is writable")
}

fn read_bytes(name: &str, bytes: &[u8]) -> Result<Points, Error> {
    let folder = folder();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    points::read(&path, BOX)
}

fn read_csv(text: &str) -> Result<Points, Error> {
    read_bytes("points.csv", text.as_bytes())
}

/// Asserts that `result` is an error of one short line without control characters that holds every one of `parts`.
fn refused(result: Result<Points, Error>, parts: &[&str], context: &str) {
    let error = result.map(|points| points.x).expect_err(context).to_string();
    assert!(error.chars().all(|c| !c.is_control()) && error.chars().count() < 400, "{context}: {error:?}");
    for part in parts {
        assert!(error.contains(part), "{context}: '{part}' is missing in {error}");
    }
}

#[test]
fn csv_of_one_meaning_is_read() {
    for text in [
        "x0,x1\n0.5,0.25\n1,0\n",
        "x0,x1\n0.5,0.25\n1,0",
        "x1,x0\n0.25,0.5\n0,1\n",
        "x0,x1\r\n0.5,0.25\r\n1,0\r\n",
        "x0,x1\r0.5,0.25\r1,0\r",
        "\u{feff}x0,x1\n0.5,0.25\n1,0\n",
        "X0,X1\n0.5,0.25\n1,0\n",
        ",x0,x1\n0,0.5,0.25\n1,1,0\n",
        "\"\",\"x0\",\"x1\"\n\"1\",0.5,0.25\n\"2\",1,0\n",
        "Unnamed: 0,x0,x1\n0.0,0.5,0.25\n1.0,1,0\n",
        "\"x0\" \"x1\"\n\"1\" 0.5 0.25\n\"2\" 1 0\n",
        "sep=\t\nx0\tx1\n0.5\t0.25\n1\t0\n",
        "x0,x1,\n0.5,0.25,\n1,0,\n",
        "x0,x1\n0.5,0.25,\n1,0,\n",
        "x0,x1,\n0.5,0.25\n1,0,,\n",
        "# x0, x1\n5.0e-01, 2.5e-01\n1.0e+00, 0.0e+00\n",
        "# x0 x1\n5.0e-01 2.5e-01\n1.0e+00 0.0e+00\n",
        "# made by hand\n#x0,x1\n# in the cube\n0.5,0.25\n1,0\n",
        "# a, \"comment\nx0,x1\n0.5,0.25\n  # another\n1,0\n",
        "\n\nx0,x1\n\n0.5,0.25\n   \n1,0\n\n",
        "x0;x1\n0.5;0.25\n1;0\n",
        "x0;x1;\n0.5;0.25;\n1;0;\n",
        "sep=;\nx0;x1\n0.5;0.25\n1;0\n",
        "x0\tx1\n0.5\t0.25\n1\t0\n",
        "x0 x1\n0.5   0.25\n  1 0\n",
        " \"x0\" , \"x1\" \n \"0.5\" , \" 0.25 \"\n1 , 0\n",
        "x0,x1\n+.5,\u{a0}25e-2\n1.,-0\n",
        "u0,u1\n0,-2.56\n5.12,-5.12\n",
        "x0,u0,x1,u1\n0.5,0,0.25,-2.56\n1,5.12,0,-5.12\n",
    ] {
        let points = read_csv(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!((points.dimension, &points.x[..]), (2, &[0.5, 0.25, 1.0, 0.0][..]), "{text:?}");
        let utf16 = |order: fn(u16) -> [u8; 2]| {
            let text = text.trim_start_matches('\u{feff}');
            "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(order).collect::<Vec<u8>>()
        };
        for bytes in [utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)] {
            assert_eq!(read_bytes("points.CSV", &bytes).unwrap().x, points.x, "{text:?} in UTF-16");
        }
    }
    let wide: Vec<String> = (0..20_000).map(|i| format!("x{i}")).collect();
    let points = read_csv(&format!("{}\n{}\n", wide.join(","), vec!["1"; wide.len()].join(","))).unwrap();
    assert_eq!((points.dimension, points.x.iter().sum::<f64>()), (20_000, 20_000.0));
}

#[test]
fn csv_of_no_or_two_meanings_is_refused_with_what_to_change() {
    let names = &["x0, x1, …", "u0, u1, …"][..];
    let long = format!("x0\n{}x\n", "9".repeat(100_000));
    let open = format!("x0,x1\n\"0.5,0.25\n{}", "0.1,0.2\n".repeat(1_000));
    for (text, parts) in [
        ("0.5,0.25\n0.1,0.2\n", &["line 1", "without names", "x0, x1"][..]),
        ("# prose\n0.5 0.25\n", &["line 2", "without names"]),
        (",0,1\n0,0.5,0.25\n", &["line 1", "without names"]),
        ("0,5;0,25\n", &["line 1", "without names"]),
        ("x0;x1\n0,5;0,25\n", &["'0,5'", "decimal comma", "semicolons", "expected decimal points"]),
        ("x0\tx1\n0,5\t0,25\n", &["'0,5'", "decimal comma", "tabs"]),
        ("x0 x1\n0,5 0,25\n", &["'0,5'", "decimal comma", "blanks"]),
        ("x0,x1\n\"0,5\",\"0,25\"\n", &["'0,5'", "decimal comma"]),
        ("x0,x1\n0,5,0,25\n", &["line 2 has 4 values", "2 names", "decimal points"]),
        ("u0\n0,5\n", &["line 2 has 2 values", "1 name:", "decimal points"]),
        ("x0,x1\n0.5;0.25\n", &["line 2", "semicolons", "commas"]),
        ("x0;x1\n0.5,0.25\n", &["line 2", "semicolons", "commas"]),
        ("x0,x1\n0.5 0.25\n", &["line 2", "blanks", "commas"]),
        ("x0,x1\n0.5\n", &["line 2 has 1 value,", "2 names"]),
        ("x0,x1\n0.5,0.2,0.3\n", &["line 2 has 3 values", "2 names"]),
        ("x0,x1,\n0.5,0.2,3\n", &["line 2 has 3 values", "2 names"]),
        (",x0\n3,0.5\n17,0.2\n", &["first column has no name", "index"]),
        (",x0\n1,0.5\n1,0.2\n", &["first column has no name"]),
        ("x0,,x1\n.1,.2,.3\n", &["column 2", "no name"]),
        ("x1,x2,x3\n.1,.2,.3\n", &["counted from 1", "x0 to x2"]),
        ("u1\n.1\n", &["counted from 1", "expected u0"]),
        ("x0,x2\n.1,.2\n", &["expected x0 to x1", "no column x1", "'x2'"]),
        ("x0,x0\n.1,.2\n", &["column x0 is there twice"]),
        ("x0,X0\n.1,.2\n", &["column x0 is there twice"]),
        ("x00,x01\n.1,.2\n", names),
        ("x_0\n.1\n", names),
        ("x0|x1\n.1|.2\n", names),
        ("a,b\n.1,.2\n", &["'a'", "no coordinate"]),
        ("x0,raw\n.1,.2\n", &["'raw'", "no coordinate"]),
        ("x0,Seed\n.1,2\n", &["'Seed'", "learning_rate"]),
        ("x0\nnan\n", &["column x0, point 1", "NaN"]),
        ("x0\ninf\n", &["column x0, point 1", "inf"]),
        ("x0\n1.0000000001\n", &["from 0 to 1"]),
        ("x0,x1\n0.5,\n", &["column x1, point 1 (line 2)", "missing"]),
        ("x0,x1\n0.5,1\n,\n", &["column x0, point 2 (line 3)", "missing"]),
        ("x0\n0.5\n\"\"\n", &["column x0, point 2 (line 3)", "missing"]),
        ("x0\r0.5\r\rhalf\r", &["point 2 (line 4)", "'half'"]),
        ("x0\n50%\n", &["'50%'"]),
        ("x0\n5d-1\n", &["'5d-1'"]),
        ("x0\n0.5 # half\n", &["'0.5 # half'"]),
        ("x0\n\u{1b}[31mred\n", &["'\\u{1b}[31mred'"]),
        ("x0\u{1b}[31m\n1\n", &["\\u{1b}[31m"]),
        (&long, &["99999…'"]),
        (&open, &["line 2", "quotation marks"]),
        ("seed,x0\n-1,0.5\n", &["column seed, point 1 (line 2)", "whole number", "'-1'"]),
        ("best,x0\nlow,.5\n", &["column best", "'low'"]),
        ("u0\n5.13\n", &["column u0, point 1", "-5.12 to 5.12", "5.13"]),
        ("x0,u0\n0.5,0.1\n", &["column u0, point 1", "x0 = 0.5 is u0 = 0", "not 0.1"]),
        ("x0,u0\n0.5,nan\n", &["column u0, point 1", "NaN"]),
        ("x0,x1,u0\n0.5,0.5,0\n", &["x0 to x1 and u0"]),
        ("", names),
        (" \n\n", names),
        (",\n0,\n", names),
        ("x0,x1\n", &["at least one point"]),
        ("# x0,x1\n", &["at least one point"]),
        ("x0\n0.5\0\n", &["UTF-8"]),
        ("PAR1", &["Parquet file", "name it .parquet"]),
        ("PK\u{3}\u{4}", &["spreadsheet"]),
    ] {
        refused(read_csv(text), &[&["points.csv"], parts].concat(), &format!("{:?}", &text[..text.len().min(60)]));
    }
    let utf16: Vec<u8> = "x0\n0.5\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused(read_bytes("points.csv", &utf16), &["UTF-16 with a byte order mark"], "UTF-16 without a mark");
    refused(read_bytes("points.csv", &[&[0xff, 0xfe], &utf16[..5]].concat()), &["UTF-16"], "half a character");
    refused(read_bytes("points.csv", b"x0\n0.5\xe9\n"), &["UTF-8"], "Latin-1");
    refused(read_bytes("points.csv.gz", b"\x1f\x8b"), &["compressed", "unpack"], "gzip");
    refused(read_bytes("points.csv", b"\x1f\x8b"), &["compressed"], "gzip by another name");
    refused(read_bytes("points.txt", b"x0\n0.5\n"), &[".parquet or .csv"], "another extension");
}

#[test]
fn labels_are_kept_as_they_are() {
    let text = "function,optimizer,seed,learning_rate,best,raw_best,x0\nsphere,deep,18446744073709551615,1e-1,0.25,1.5,0.5\nlevy,,,,,,1\n";
    let csv = read_csv(text).unwrap();
    let names: Vec<&str> = csv.labels.iter().map(|label| label.name().as_str()).collect();
    assert_eq!(names, points::LABELS);
    let folder = folder();
    let path = folder.path().join("points.parquet");
    let columns = [csv.labels.clone(), vec![Column::new("x0".into(), [0.5, 1.0])]].concat();
    trace::write(&DataFrame::new(2, columns).unwrap(), &path, "{}").unwrap();
    let parquet = points::read(&path, BOX).unwrap();
    assert_eq!((&parquet.labels, &parquet.x), (&csv.labels, &csv.x));
    assert_eq!(csv.labels[2].u64().unwrap().iter().collect::<Vec<_>>(), [Some(u64::MAX), None]);
    assert_eq!(csv.labels[1].null_count(), 1);
}

/// The bounds of a box as single precision has them may lie beyond it by their rounding.
#[test]
fn bounds_in_single_precision_are_in_the_box() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.parquet");
    for function in Function::ALL {
        let domain = function.describe(1).domain;
        let bounds = Column::new("u0".into(), domain.map(|bound| bound as f32));
        trace::write(&DataFrame::new(2, vec![bounds]).unwrap(), &path, "{}").unwrap();
        let [low, high] = points::read(&path, domain).unwrap().x[..] else { panic!("two points") };
        assert!((0.0..1e-7).contains(&low) && high > 1.0 - 1e-7 && high <= 1.0, "{function}: {low}, {high}");
    }
    std::fs::write(folder.path().join("p.csv"), "u0\n1e300\n").unwrap();
    let error = points::read(folder.path().join("p.csv"), [0.0, 1.0]).unwrap_err().to_string();
    assert!(error.contains("not 1e300"), "{error}");
}

#[test]
fn u_and_x_are_the_same_point() {
    for function in Function::ALL {
        let domain @ [lo, hi] = function.describe(3).domain;
        assert_eq!([points::to_box(0.0, domain), points::to_box(1.0, domain)], domain, "{function}");
        assert_eq!([points::from_box(lo, domain), points::from_box(hi, domain)], [0.0, 1.0], "{function}");
        for step in 0..=1000 {
            let u = lo + (hi - lo) * f64::from(step) / 1000.0;
            let x = points::from_box(u, domain);
            assert!((points::to_box(x, domain) - u).abs() <= (hi - lo) * f64::EPSILON, "{function} at {u}");
            let nearby = [x.next_down(), x.next_up()].map(|x| (points::to_box(x, domain) - u).abs());
            assert!(nearby.iter().all(|miss| *miss >= (points::to_box(x, domain) - u).abs()), "{function} at {u}");
        }
    }
    let minimum = points::from_box(0.0, BOX);
    assert_eq!(Function::Sphere.evaluate(1, 0, &[minimum]).unwrap().raw, [0.0]);
    // Written with twelve digits, pi is beyond the box of Michalewicz by rounding.
    let pi = "3.14159265359".parse().unwrap();
    assert_eq!(points::from_box(pi, Function::Michalewicz.describe(1).domain), 1.0);
}

/// A Parquet file with the column `field` and the values that `fill` writes; row groups of all values, `groups` times.
fn parquet_file<T: DataType>(
    field: Type,
    values: &[T::T],
    levels: Option<&[i16]>,
    properties: WriterProperties,
) -> Vec<u8> {
    let schema: TypePtr =
        Arc::new(Type::group_type_builder("schema").with_fields(vec![Arc::new(field)]).build().unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for _ in 0..2 {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<T>().write_batch(values, levels, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn field(physical: Physical, logical: Option<LogicalType>, length: i32, (precision, scale): (i32, i32)) -> Type {
    let builder = Type::primitive_type_builder("x0", physical).with_repetition(Repetition::REQUIRED);
    let builder = builder.with_logical_type(logical).with_length(length);
    builder.with_precision(precision).with_scale(scale).build().unwrap()
}

fn whole<T: DataType>(logical: Option<LogicalType>, physical: Physical, values: &[T::T]) -> Vec<u8> {
    parquet_file::<T>(field(physical, logical, -1, (-1, -1)), values, None, WriterProperties::builder().build())
}

#[test]
fn every_kind_of_number_in_parquet_is_read_as_the_number_it_is() {
    let ends = [0.0, 1.0, 0.0, 1.0];
    for bit_width in [8, 16, 32, 64] {
        for signed in [true, false] {
            let logical = Some(LogicalType::integer(bit_width, signed));
            let bytes = match bit_width {
                64 => whole::<Int64Type>(logical, Physical::INT64, &[0, 1]),
                _ => whole::<Int32Type>(logical, Physical::INT32, &[0, 1]),
            };
            assert_eq!(read_bytes("a.parquet", &bytes).unwrap().x, ends, "{bit_width} bits, signed {signed}");
        }
    }
    let quarters = [0.5, 0.25, 0.5, 0.25];
    assert_eq!(read_bytes("a.parquet", &whole::<BoolType>(None, Physical::BOOLEAN, &[false, true])).unwrap().x, ends);
    assert_eq!(read_bytes("a.Parquet", &whole::<FloatType>(None, Physical::FLOAT, &[0.5, 0.25])).unwrap().x, quarters);
    assert_eq!(
        read_bytes("a.parquet", &whole::<DoubleType>(None, Physical::DOUBLE, &[0.5, 0.25])).unwrap().x,
        quarters
    );
    let fixed = |bytes: &[u8]| FixedLenByteArray::from(bytes.to_vec());
    let half = field(Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16), 2, (-1, -1));
    let plain = || WriterProperties::builder().build();
    let bytes = parquet_file::<FixedLenByteArrayType>(half, &[fixed(&[0, 0x38]), fixed(&[0, 0x34])], None, plain());
    assert_eq!(read_bytes("a.parquet", &bytes).unwrap().x, quarters);

    let decimal = |scale, precision| Some(LogicalType::decimal(scale, precision));
    let bytes = parquet_file::<Int32Type>(field(Physical::INT32, decimal(2, 5), -1, (5, 2)), &[50, 25], None, plain());
    assert_eq!(read_bytes("a.parquet", &bytes).unwrap().x, quarters, "decimal of 32 bits");
    let bytes = parquet_file::<Int64Type>(
        field(Physical::INT64, decimal(9, 15), -1, (15, 9)),
        &[500_000_000, 250_000_000],
        None,
        plain(),
    );
    assert_eq!(read_bytes("a.parquet", &bytes).unwrap().x, quarters, "decimal of 64 bits");
    let bytes = parquet_file::<ByteArrayType>(
        field(Physical::BYTE_ARRAY, decimal(2, 30), -1, (30, 2)),
        &[ByteArray::from(vec![50]), ByteArray::from(vec![0, 0, 25])],
        None,
        plain(),
    );
    assert_eq!(read_bytes("a.parquet", &bytes).unwrap().x, quarters, "decimal of any length");
    // 5·10^74 and 2.5·10^74 in 32 bytes, with 75 decimal places.
    let mut integers = [[0u8; 32]; 2];
    for (bytes, first) in integers.iter_mut().zip([50u16, 25]) {
        let mut carry = first;
        bytes[31] = carry as u8;
        for _ in 0..73 {
            carry = 0;
            for byte in bytes.iter_mut().rev() {
                let product = u16::from(*byte) * 10 + carry;
                (*byte, carry) = (product as u8, product >> 8);
            }
        }
    }
    let wide = |values: &[[u8; 32]]| {
        let values: Vec<FixedLenByteArray> = values.iter().map(|bytes| fixed(bytes)).collect();
        let field = field(Physical::FIXED_LEN_BYTE_ARRAY, decimal(75, 76), 32, (76, 75));
        parquet_file::<FixedLenByteArrayType>(field, &values, None, plain())
    };
    assert_eq!(read_bytes("a.parquet", &wide(&integers)).unwrap().x, quarters, "decimal of 256 bits");
    let negative = integers.map(|bytes| bytes.map(|byte| !byte));
    refused(read_bytes("a.parquet", &wide(&negative)), &["column x0, point 1", "-0.5"], "a negative decimal");
}

#[test]
fn all_pages_and_compressions_are_read() {
    let values: Vec<f64> = (0..3_000).map(|i| f64::from(i % 5) / 4.0).collect();
    let twice = [&values[..], &values[..]].concat();
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for dictionary in [true, false] {
            for compression in [
                Compression::UNCOMPRESSED,
                Compression::SNAPPY,
                Compression::GZIP(Default::default()),
                Compression::BROTLI(Default::default()),
                Compression::LZ4,
                Compression::LZ4_RAW,
                Compression::ZSTD(Default::default()),
            ] {
                let properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_dictionary_enabled(dictionary)
                    .set_compression(compression)
                    .set_data_page_row_count_limit(700);
                let field = field(Physical::DOUBLE, None, -1, (-1, -1));
                let bytes = parquet_file::<DoubleType>(field, &values, None, properties.build());
                let found = read_bytes("a.parquet", &bytes);
                assert_eq!(found.unwrap().x, twice, "{version:?}, dictionary {dictionary}, {compression:?}");
            }
        }
    }
}

#[test]
fn columns_of_parquet_that_are_no_numbers_are_named_with_their_type() {
    let bytes = |value: &str| ByteArray::from(value.as_bytes().to_vec());
    let micros = LogicalType::timestamp(true, parquet::basic::TimeUnit::MICROS);
    for (file, kind) in [
        (whole::<Int32Type>(Some(LogicalType::Date), Physical::INT32, &[1]), "a date"),
        (whole::<Int64Type>(Some(micros), Physical::INT64, &[1]), "a time stamp"),
        (whole::<ByteArrayType>(Some(LogicalType::String), Physical::BYTE_ARRAY, &[bytes("0.5")]), "text"),
        (whole::<ByteArrayType>(None, Physical::BYTE_ARRAY, &[bytes("0.5")]), "bytes"),
    ] {
        refused(read_bytes("a.parquet", &file), &["column 'x0'", kind, "expected"], kind);
    }
    let leaf = |name: &str| {
        let builder = Type::primitive_type_builder(name, Physical::DOUBLE).with_repetition(Repetition::REQUIRED);
        Arc::new(builder.build().unwrap())
    };
    let group = |kind: ConvertedType| {
        let builder = Type::group_type_builder("meta").with_fields(vec![leaf("a")]).with_converted_type(kind);
        Arc::new(builder.with_repetition(Repetition::OPTIONAL).build().unwrap())
    };
    for (kind, name) in
        [(ConvertedType::NONE, "a struct"), (ConvertedType::LIST, "a list"), (ConvertedType::MAP, "a map")]
    {
        let fields = vec![leaf("x0"), group(kind)];
        let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build().unwrap());
        let file = SerializedFileWriter::new(Vec::new(), schema, Default::default()).unwrap().into_inner().unwrap();
        refused(read_bytes("a.parquet", &file), &["column 'meta'", name], name);
    }
    // Nulls, no rows, no columns.
    let optional = Type::primitive_type_builder("x0", Physical::DOUBLE).with_repetition(Repetition::OPTIONAL);
    let file = parquet_file::<DoubleType>(optional.build().unwrap(), &[0.5], Some(&[1, 0]), Default::default());
    refused(read_bytes("a.parquet", &file), &["column x0, point 2", "missing"], "null");
    let file = parquet_file::<DoubleType>(field(Physical::DOUBLE, None, -1, (-1, -1)), &[], None, Default::default());
    refused(read_bytes("a.parquet", &file), &["at least one point"], "no rows");
    let schema = Arc::new(Type::group_type_builder("schema").build().unwrap());
    let file = SerializedFileWriter::new(Vec::new(), schema, Default::default()).unwrap().into_inner().unwrap();
    refused(read_bytes("a.parquet", &file), &["at least one point"], "no columns");
    // What pandas writes of an index, whatever its type.
    let folder = folder();
    let path = folder.path().join("indexed.parquet");
    let columns = vec![Column::new("x0".into(), [0.5, 0.25]), Column::new("__index_level_0__".into(), ["a", "b"])];
    trace::write(&DataFrame::new(2, columns).unwrap(), &path, "{}").unwrap();
    assert_eq!(points::read(&path, BOX).unwrap().x, [0.5, 0.25]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let folder = folder();
    for name in ["pipe.csv", "pipe.parquet"] {
        let path = folder.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        refused(points::read(&path, BOX), &["a pipe or a device"], name);
    }
    assert!(trace::read(&folder.path().join("pipe.parquet")).is_err());
    for name in ["folder.csv", "folder.parquet"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        refused(points::read(folder.path().join(name), BOX), &["a folder"], name);
    }
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero.csv")).unwrap();
    refused(points::read(folder.path().join("zero.csv"), BOX), &["a pipe or a device"], "a device");
}

/// The most memory that this process ever held, where the system tells.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.map_or(0, |kilobytes| kilobytes.parse().unwrap())
}

fn endure(path: &Path, bytes: &[u8], context: &str) {
    std::fs::write(path, bytes).unwrap();
    let (start, before) = (Instant::now(), peak());
    if let Err(error) = trace::read(path) {
        let error = error.to_string();
        assert!(!error.chars().any(char::is_control) && error.len() < 500, "{context}: {error:?}");
    }
    assert!(start.elapsed().as_secs() < 30, "{context} takes {:?}", start.elapsed());
    assert!(peak() < before + (1 << 18), "{context} takes {} KiB", peak() - before);
}

/// A file with text, numbers and truth values, of two row groups and a few pages.
fn small_file(path: &Path) -> Vec<u8> {
    let rows = 40;
    let columns = vec![
        Column::new("function".into(), (0..rows).map(|i| ["levy", "sphere"][i % 2]).collect::<Vec<_>>()),
        Column::new("seed".into(), (0..rows as u64).collect::<Vec<_>>()),
        Column::new("x0".into(), (0..rows).map(|i| (i % 3 > 0).then_some(i as f64)).collect::<Vec<_>>()),
        Column::new("flag".into(), (0..rows).map(|i| i % 3 == 0).collect::<Vec<_>>()),
    ];
    trace::write(&DataFrame::new(rows, columns).unwrap(), path, "{}").unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn no_changed_byte_makes_the_reader_panic_or_wait() {
    let folder = folder();
    let path = folder.path().join("a.parquet");
    let decimals: Vec<FixedLenByteArray> = (0u8..9).map(|i| FixedLenByteArray::from(vec![i; 20])).collect();
    let column = field(Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(3, 45)), 20, (45, 3));
    let version = WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0);
    let version = version.set_compression(Compression::SNAPPY).set_dictionary_enabled(false);
    let delta = parquet_file::<FixedLenByteArrayType>(column, &decimals, None, version.build());
    for whole in [small_file(&path), delta] {
        for place in 0..whole.len() {
            for turned in [0x01, 0x40, 0x80] {
                let mut bytes = whole.clone();
                bytes[place] ^= turned;
                endure(&path, &bytes, &format!("byte {place} of {} changed by {turned:#x}", whole.len()));
            }
            if place % 16 == 0 {
                endure(&path, &whole[..place], &format!("a file cut at {place}"));
            }
        }
    }
}

/// A file whose schema is nested as deep as its footer is long.
#[test]
fn a_deeply_nested_schema_is_an_error() {
    // In Thrift's compact protocol: version 1, then a list of groups without a name that hold one field each.
    let depth = 200_000u32;
    let mut footer = vec![0x15, 0x02, 0x19, 0xfc];
    let mut number = depth;
    while number > 127 {
        footer.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    footer.push(number as u8);
    for _ in 0..depth {
        footer.extend([0x48, 0x00, 0x15, 0x02, 0x00]);
    }
    footer.extend([0x16, 0x00, 0x19, 0x0c, 0x00]);
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    let bytes = [b"PAR1", &footer[..], &length, b"PAR1"].concat();
    refused(read_bytes("deep.parquet", &bytes), &["damaged"], "a deep schema");
}

/// Six bytes in a footer can stand for a list of two billion truth values, in a field that the reader does not know.
#[test]
fn a_list_that_takes_no_bytes_is_an_error() {
    let folder = folder();
    let whole = small_file(&folder.path().join("a.parquet"));
    let end = whole.len() - 8;
    let length = u32::from_le_bytes(whole[end..end + 4].try_into().unwrap());
    // Field 200, before the byte that ends the footer.
    let list = [0x09, 0x90, 0x03, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07];
    let with = |inserted: &[u8]| {
        let length = (length + inserted.len() as u32).to_le_bytes();
        [&whole[..end - 1], inserted, &[0], &length, b"PAR1"].concat()
    };
    refused(read_bytes("same.parquet", &with(&[])), &["column 'flag'"], "nothing inserted");
    refused(read_bytes("list.parquet", &with(&list.repeat(1_000))), &["damaged"], "many lists of truth values");
}

/// Few bytes can stand for very many rows.
#[test]
fn a_claim_of_more_rows_than_memory_is_an_error() {
    let folder = folder();
    let path = folder.path().join("a.parquet");
    let whole = small_file(&path);
    // The number of rows, 40, is 80 in the footer: once for the file, once for its row group, and for every column.
    let footer = whole.len() - 8 - u32::from_le_bytes(whole[whole.len() - 8..][..4].try_into().unwrap()) as usize;
    let places: Vec<usize> = (footer..whole.len()).filter(|&place| whole[place..].starts_with(&[0x16, 80])).collect();
    assert!(places.len() >= 2, "{places:?}");
    let mut bytes = whole[..footer].to_vec();
    let mut rest = footer;
    for place in places {
        bytes.extend(&whole[rest..place]);
        // 2^40 rows.
        bytes.extend([0x16, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
        rest = place + 2;
    }
    bytes.extend(&whole[rest..whole.len() - 8]);
    let length = u32::try_from(bytes.len() - footer).unwrap().to_le_bytes();
    bytes.extend(length);
    bytes.extend(b"PAR1");
    endure(&path, &bytes, "a claim of many rows");
    let error = trace::read(&path).unwrap_err().to_string();
    assert!(error.contains("number of values"), "{error}");
}
