//! Parquet files as no import would write them, to be refused.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Decimal64Array, Float64Array, Int32Array, Int64Array,
    TimestampMicrosecondArray, TimestampMillisecondArray,
};
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use lockstep::domain::fact::Bar;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

/// A file's columns and its metadata, free to be changed.
pub struct RawParquet {
    pub columns: Vec<(&'static str, ArrayRef)>,
    pub metadata: Vec<(&'static str, String)>,
    pub nullable: bool,
}

impl RawParquet {
    /// What the store itself would write for these bars, sound or not.
    pub fn of(key: &str, bars: &[Bar]) -> RawParquet {
        let prices = |field: fn(&Bar) -> i64| -> ArrayRef {
            let digits = Decimal64Array::from(bars.iter().map(field).collect::<Vec<_>>());
            Arc::new(digits.with_precision_and_scale(14, 4).expect("14 digits"))
        };
        let times: Vec<i64> = bars.iter().map(|bar| bar.open_time.0).collect();
        let volumes: Vec<i64> = bars.iter().map(|bar| bar.volume.0).collect();
        let columns = vec![
            ("open_time", time(times)),
            ("open", prices(|bar| bar.open.0)),
            ("high", prices(|bar| bar.high.0)),
            ("low", prices(|bar| bar.low.0)),
            ("close", prices(|bar| bar.close.0)),
            ("volume", Arc::new(Int64Array::from(volumes)) as ArrayRef),
        ];
        let metadata = vec![
            ("lockstep.schema", "1".to_owned()),
            ("lockstep.label", "start".to_owned()),
            ("lockstep.key", key.to_owned()),
        ];
        RawParquet { columns, metadata, nullable: false }
    }

    /// Puts another column in the place of one.
    pub fn replace(&mut self, name: &str, with: Option<(&'static str, ArrayRef)>) {
        let place = self.columns.iter().position(|column| column.0 == name).expect("a column");
        self.columns.splice(place..=place, with);
    }

    pub fn write(&self, path: &Path) {
        let fields = self.columns.iter().map(|(name, array)| {
            Field::new(
                *name,
                array.data_type().clone(),
                self.nullable || Array::null_count(array) > 0,
            )
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = self.columns.iter().map(|(_, array)| array.clone()).collect();
        let batch = RecordBatch::try_new(schema.clone(), columns).expect("columns of one length");
        let entry =
            |(name, value): &(&str, String)| KeyValue::new((*name).to_owned(), value.clone());
        let metadata = self.metadata.iter().map(entry).collect();
        let properties = WriterProperties::builder().set_key_value_metadata(Some(metadata)).build();
        let mut writer =
            ArrowWriter::try_new(Vec::new(), schema, Some(properties)).expect("a writer");
        writer.write(&batch).expect("a batch");
        fs::write(path, writer.into_inner().expect("bytes")).expect("a file");
    }
}

pub fn time(us: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(us).with_timezone("UTC"))
}

pub fn time_ms(bars: &[Bar]) -> ArrayRef {
    let ms: Vec<i64> = bars.iter().map(|bar| bar.open_time.0 / 1_000).collect();
    Arc::new(TimestampMillisecondArray::from(ms).with_timezone("UTC"))
}

pub fn doubles(values: Vec<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

pub fn ints(values: Vec<i32>) -> ArrayRef {
    Arc::new(Int32Array::from(values))
}

pub fn maybe_longs(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}
