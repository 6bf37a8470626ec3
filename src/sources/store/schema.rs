//! The columns of a history file: what they must be, and how a file is checked against that.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::basic::{LogicalType, Repetition, TimeUnit as ParquetUnit};
use parquet::file::metadata::FileMetaData;
use parquet::schema::types::ColumnDescriptor;

use super::error::StoreError;

/// Name and type of every column of a history file, types as Parquet stores them.
pub const SCHEMA: [(&str, &str); 6] = [
    ("open_time", "INT64 timestamp(us, UTC) required"),
    ("open", "INT64 decimal(14,4) required"),
    ("high", "INT64 decimal(14,4) required"),
    ("low", "INT64 decimal(14,4) required"),
    ("close", "INT64 decimal(14,4) required"),
    ("volume", "INT64 required"),
];

/// The metadata entry that holds the instrument's key.
pub(super) const KEY: &str = "lockstep.key";
/// The metadata entry that holds the version of the schema, and its value.
pub(super) const VERSION: (&str, &str) = ("lockstep.schema", "1");
/// The metadata entry that says how a bar is labelled, and its value.
pub(super) const LABEL: (&str, &str) = ("lockstep.label", "start");

/// The Arrow type of a column of the schema.
fn arrow_type(name: &str) -> DataType {
    match name {
        "open_time" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "volume" => DataType::Int64,
        _ => DataType::Decimal64(14, 4),
    }
}

/// The Arrow schema of what is written.
pub(super) fn arrow_schema() -> SchemaRef {
    let fields = SCHEMA.map(|(name, _)| Field::new(name, arrow_type(name), false));
    Arc::new(Schema::new(fields.to_vec()))
}

/// The place of every column of [`SCHEMA`] in a file.
pub(super) type Places = [usize; SCHEMA.len()];

/// Checks the columns of a file and finds them.
pub(super) fn check_columns(path: &Path, file: &FileMetaData) -> Result<Places, StoreError> {
    let columns = file.schema_descr().columns();
    let mut places = Places::default();
    let mut wrong = Vec::new();
    for ((name, wanted), place) in SCHEMA.into_iter().zip(&mut places) {
        let named = (0..).zip(columns).filter(|(_, column)| column.path().string() == name);
        let found = named.map(|(at, column)| {
            *place = at;
            describe(column)
        });
        let found: Vec<String> = found.collect();
        match found.as_slice() {
            [found] if found == wanted => {}
            [] => wrong.push(format!("{name} is missing (wanted {wanted})")),
            [found] => wrong.push(format!("{name} is {found}, wanted {wanted}")),
            _ => wrong.push(format!("{name} stands there {} times", found.len())),
        }
    }
    for column in columns {
        let name = column.path().string();
        if !SCHEMA.iter().any(|(wanted, _)| *wanted == name) {
            wrong.push(format!("{name} ({}) is surplus", describe(column)));
        }
    }
    if !wrong.is_empty() {
        return Err(StoreError::Schema { path: path.to_owned(), columns: wrong });
    }
    Ok(places)
}

/// A column's type in the words of [`SCHEMA`].
fn describe(column: &ColumnDescriptor) -> String {
    let logical = match column.logical_type_ref() {
        None => String::new(),
        Some(LogicalType::Decimal { precision, scale }) => format!(" decimal({precision},{scale})"),
        Some(LogicalType::Timestamp { is_adjusted_to_u_t_c, unit }) => {
            let unit = match unit {
                ParquetUnit::MILLIS => "ms",
                ParquetUnit::MICROS => "us",
                ParquetUnit::NANOS => "ns",
            };
            format!(" timestamp({unit}, {})", if *is_adjusted_to_u_t_c { "UTC" } else { "local" })
        }
        Some(other) => format!(" {other:?}").to_lowercase(),
    };
    let required = match column.self_type().get_basic_info().repetition() {
        Repetition::REQUIRED => "required",
        Repetition::OPTIONAL => "optional",
        Repetition::REPEATED => "repeated",
    };
    format!("{}{logical} {required}", column.physical_type())
}

/// The value of one of the file's metadata entries.
pub(super) fn metadata_entry<'a>(file: &'a FileMetaData, entry: &str) -> Option<&'a str> {
    let entries = file.key_value_metadata()?;
    entries.iter().find(|pair| pair.key == entry)?.value.as_deref()
}

/// Checks that the metadata name the schema's version, the label and this key.
pub(super) fn check_metadata(
    path: &Path,
    file: &FileMetaData,
    key: &str,
) -> Result<(), StoreError> {
    for (entry, wanted) in [VERSION, LABEL, (KEY, key)] {
        let found = metadata_entry(file, entry);
        if found != Some(wanted) {
            return Err(StoreError::Metadata {
                path: path.to_owned(),
                entry,
                wanted: wanted.to_owned(),
                found: found.map_or("absent".to_owned(), |found| format!("`{found}`")),
            });
        }
    }
    Ok(())
}
