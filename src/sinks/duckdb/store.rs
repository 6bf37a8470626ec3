//! One DuckDB file: its tables, batches of rows, and where in the journal it stands.
//!
//! There are no primary keys and no indexes: these have lost data in replays of DuckDB's own log. A
//! batch takes the rows out that come again and puts all of its rows in, and `projection_meta` with
//! them, in one transaction.

use std::path::{Path, PathBuf};

use ::duckdb::types::{TimeUnit, ToSql, ToSqlOutput, Value, ValueRef};
use ::duckdb::{Config, Connection, Row as SqlRow, Transaction, appender_params_from_iter};

use crate::domain::event::EventId;
use crate::sinks::tables::{Cell, RowHash, Rows, SCHEMA_VERSION, TableId};

use super::DuckError;

/// One file.
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// The input after the last whose rows are in it.
    next_seq: u64,
}

/// What a file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The run whose rows it holds.
    pub run_id: String,
    /// The last event whose rows it holds.
    pub last: Option<EventId>,
}

impl Store {
    /// A new file for a run, with empty tables.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path, run_id: &str) -> Result<Store, DuckError> {
        let store = Store { connection: connect(path)?, path: path.into(), next_seq: 0 };
        let mut sql = String::from("BEGIN;");
        for table in TableId::ALL {
            let name = table.name();
            let columns = table.columns().iter();
            let columns: Vec<String> =
                columns.map(|column| format!("{} {}", column.name, column.kind.sql())).collect();
            sql += &format!("CREATE TABLE {name} ({});", columns.join(", "));
            sql += &format!("COMMENT ON TABLE {name} IS '{}';", table.about().replace('\'', "''"));
            for column in table.columns() {
                sql += &format!(
                    "COMMENT ON COLUMN {name}.{} IS '{}';",
                    column.name,
                    column.about.replace('\'', "''")
                );
            }
        }
        sql += "CREATE TABLE projection_meta (run_id VARCHAR, schema_version BIGINT, \
                last_seq BIGINT, last_index BIGINT, digest VARCHAR);";
        let sql = sql
            + &format!(
                "INSERT INTO projection_meta VALUES ('{}', {SCHEMA_VERSION}, NULL, NULL, NULL);\
                 COMMIT;",
                run_id.replace('\'', "''")
            );
        store.execute("making the tables", &sql)?;
        store.stage_tables()?;
        Ok(store)
    }

    /// A file that is there.
    ///
    /// # Errors
    /// When it cannot be opened or is not what this program writes for that run.
    pub fn open(path: &Path, run_id: &str) -> Result<Store, DuckError> {
        let mut store = Store { connection: connect(path)?, path: path.into(), next_seq: 0 };
        let meta = store.meta()?;
        if meta.run_id != run_id {
            let why = format!("it holds run {}, and not {run_id}", meta.run_id);
            return Err(DuckError::Foreign { path: path.into(), why });
        }
        store.next_seq = meta.last.map_or(0, |last| last.seq + 1);
        store.stage_tables()?;
        Ok(store)
    }

    /// A file of any run, and which.
    ///
    /// # Errors
    /// When it cannot be opened or is not what this program writes.
    pub fn open_any(path: &Path) -> Result<(Store, String), DuckError> {
        let store = Store { connection: connect(path)?, path: path.into(), next_seq: 0 };
        let run_id = store.meta()?.run_id;
        Ok((store, run_id))
    }

    /// The input after the last whose rows are in the file.
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says about itself.
    ///
    /// # Errors
    /// When it is of another layout.
    pub fn meta(&self) -> Result<Meta, DuckError> {
        let sql = "SELECT run_id, schema_version, last_seq, last_index FROM projection_meta";
        let row = |row: &SqlRow<'_>| {
            let last: (Option<u64>, Option<u32>) = (row.get(2)?, row.get(3)?);
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, last))
        };
        let (run_id, version, last) = self
            .connection
            .query_row(sql, [], row)
            .map_err(self.failed("reading projection_meta"))?;
        if version != SCHEMA_VERSION {
            let why = format!("its tables are of layout {version}, these are {SCHEMA_VERSION}");
            return Err(DuckError::Foreign { path: self.path.clone(), why });
        }
        let last = last.0.zip(last.1).map(|(seq, index)| EventId { seq, index });
        Ok(Meta { run_id, last })
    }

    /// Commits rows together with where the journal stands after them.
    ///
    /// # Errors
    /// When the database says no; then nothing of them is in it.
    pub fn write(
        &mut self,
        rows: &Rows,
        last: EventId,
        digest: Option<&str>,
    ) -> Result<(), DuckError> {
        let failed = failed("committing", &self.path);
        self.stage(rows, last, digest)?.commit().map_err(failed)?;
        self.next_seq = last.seq + 1;
        Ok(())
    }

    /// The same without the commit.
    pub fn stage(
        &mut self,
        rows: &Rows,
        last: EventId,
        digest: Option<&str>,
    ) -> Result<Transaction<'_>, DuckError> {
        let failed = |doing| failed(doing, &self.path);
        let tx = self.connection.unchecked_transaction().map_err(failed("beginning"))?;
        for table in TableId::ALL.into_iter().filter(|table| rows.of(*table).len() > 0) {
            let name = table.name();
            let staged = format!("staged_{name}");
            let mut appender = self
                .connection
                .appender_to_catalog_and_db(&staged, "temp", "main")
                .map_err(failed("adding rows"))?;
            for row in rows.of(table) {
                let row = appender_params_from_iter(row.iter());
                appender.append_row(row).map_err(failed("adding a row"))?;
            }
            appender.flush().map_err(failed("adding rows"))?;
            drop(appender);
            let keys = table.columns().iter().take(table.key());
            let keys: Vec<String> =
                keys.map(|key| format!("old.{0} = new.{0}", key.name)).collect();
            let keys = keys.join(" AND ");
            let sql = format!(
                "DELETE FROM {name} AS old USING temp.{staged} AS new WHERE {keys};
                 INSERT INTO {name} FROM temp.{staged};
                 TRUNCATE temp.{staged};"
            );
            tx.execute_batch(&sql).map_err(failed("replacing rows"))?;
        }
        let sql = "UPDATE projection_meta SET last_seq = ?, last_index = ?, digest = ?";
        tx.execute(sql, ::duckdb::params![last.seq, last.index, digest])
            .map_err(failed("writing projection_meta"))?;
        Ok(tx)
    }

    /// How many rows each table has, and the hash of all of them, as [`Rows::hash`] has it.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn hash(&self) -> Result<(Vec<(TableId, u64)>, String), DuckError> {
        let failed = |doing| failed(doing, &self.path);
        let (mut hash, mut counts) = (RowHash::default(), Vec::new());
        for table in TableId::ALL {
            hash.table(table);
            let columns = table.columns().iter().map(|column| column.name);
            let columns: Vec<&str> = columns.collect();
            let sql = format!(
                "SELECT {} FROM {} ORDER BY {}",
                columns.join(", "),
                table.name(),
                columns[..table.key()].join(", ")
            );
            let mut query = self.connection.prepare(&sql).map_err(failed("reading rows"))?;
            let mut rows = query.query([]).map_err(failed("reading rows"))?;
            let mut count = 0;
            while let Some(row) = rows.next().map_err(failed("reading a row"))? {
                let cells: Result<Vec<Cell>, ::duckdb::Error> =
                    (0..columns.len()).map(|place| Ok(cell(row.get_ref(place)?))).collect();
                hash.row(&cells.map_err(failed("reading a row"))?);
                count += 1;
            }
            counts.push((table, count));
        }
        Ok((counts, hash.finish().to_hex().to_string()))
    }

    /// Runs statements.
    ///
    /// # Errors
    /// When one fails.
    pub fn execute(&self, doing: &'static str, sql: &str) -> Result<(), DuckError> {
        self.connection.execute_batch(sql).map_err(self.failed(doing))
    }

    /// The name of the database in its own SQL.
    ///
    /// # Errors
    /// When it does not say.
    pub fn catalog(&self) -> Result<String, DuckError> {
        let name = self.connection.query_row("SELECT current_database()", [], |row| row.get(0));
        name.map_err(self.failed("asking for the name"))
    }

    /// Closes the file, its log taken in.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn close(self) -> Result<(), DuckError> {
        self.execute("taking in the log", "CHECKPOINT")?;
        let failed = failed("closing", &self.path);
        self.connection.close().map_err(|(_, error)| failed(error))
    }

    /// Where the rows of a batch wait: tables of this connection alone.
    fn stage_tables(&self) -> Result<(), DuckError> {
        let tables = TableId::ALL.map(TableId::name);
        let sql = tables.map(|name| {
            format!("CREATE TEMP TABLE staged_{name} AS SELECT * FROM {name} LIMIT 0;")
        });
        self.execute("making room for batches", &sql.concat())
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(::duckdb::Error) -> DuckError {
        failed(doing, &self.path)
    }
}

/// One thread and little memory, since the run comes first; nothing is fetched from the network.
fn connect(path: &Path) -> Result<Connection, DuckError> {
    let config = Config::default()
        .threads(1)
        .and_then(|config| config.max_memory("1GB"))
        .and_then(|config| config.enable_autoload_extension(false))
        .map_err(failed("setting up", path))?;
    Connection::open_with_flags(path, config).map_err(failed("opening", path))
}

/// What DuckDB said, with what was being done to which file.
fn failed(doing: &'static str, path: &Path) -> impl FnOnce(::duckdb::Error) -> DuckError + use<> {
    let path = path.to_path_buf();
    move |error| {
        let why = error.to_string();
        match why.contains("Could not set lock") {
            true => DuckError::Locked { path, why },
            false => DuckError::Sql { doing, path, why },
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> ::duckdb::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => ToSqlOutput::Owned(Value::Null),
            Cell::Flag(flag) => ToSqlOutput::Owned(Value::Boolean(*flag)),
            Cell::Int(number) => ToSqlOutput::Owned(Value::BigInt(*number)),
            Cell::Double(number) => ToSqlOutput::Owned(Value::Double(*number)),
            Cell::Time(wall) => ToSqlOutput::Owned(Value::Timestamp(TimeUnit::Microsecond, *wall)),
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

/// What stands in the file as a cell. What no cell is written as comes back as other text.
fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Boolean(flag) => Cell::Flag(flag),
        ValueRef::BigInt(number) => Cell::Int(number),
        ValueRef::Double(number) => Cell::Double(number),
        ValueRef::Timestamp(TimeUnit::Microsecond, wall) => Cell::Time(wall),
        ValueRef::Text(text) => Cell::text(String::from_utf8_lossy(text)),
        other => Cell::text(format!("{other:?}")),
    }
}
