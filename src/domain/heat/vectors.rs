//! Reading the tables under `tests/fixtures` in tests: columns by name, and values
//! held to the digits that are printed.

/// A table with a line of column names; lines that begin with `#` say its source.
pub struct Table<'a> {
    columns: Vec<&'a str>,
    rows: Vec<Vec<&'a str>>,
}

/// A line of a table.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    columns: &'a [&'a str],
    cells: &'a [&'a str],
}

impl<'a> Table<'a> {
    pub fn read(text: &'a str) -> Self {
        let mut lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split(',').collect());
        Self {
            columns: lines.next().unwrap(),
            rows: lines.collect(),
        }
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row {
            columns: &self.columns,
            cells,
        })
    }
}

impl Row<'_> {
    pub fn text(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|name| *name == column);
        self.cells[place.unwrap_or_else(|| panic!("no column {column}"))]
    }

    pub fn number(&self, column: &str) -> f64 {
        self.text(column).parse().unwrap()
    }

    /// Equal up to half a unit of the last printed digit.
    pub fn printed(&self, ours: f64, column: &str) {
        self.printed_or(ours, column, 0.0);
    }

    /// Equal up to half a unit of the last printed digit or a relative tolerance,
    /// whichever is larger.
    pub fn printed_or(&self, ours: f64, column: &str, relative: f64) {
        let theirs = self.text(column);
        let allowed = half_unit(theirs).max(relative * self.number(column).abs());
        close(
            ours,
            self.number(column),
            allowed,
            &format!("{column} of {:?}", self.cells),
        );
    }
}

/// Half a unit of the last digit of a printed number, and the rounding of `f64`.
fn half_unit(text: &str) -> f64 {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let decimals = mantissa
        .split_once('.')
        .map_or(0, |(_, digits)| digits.len());
    let unit = exponent.parse::<i32>().unwrap() - i32::try_from(decimals).unwrap();
    0.5 * 10f64.powi(unit) * 1.000_001
}

/// Equal up to half a unit of the last printed digit.
pub fn printed(ours: f64, theirs: &str, name: &str) {
    close(ours, theirs.parse().unwrap(), half_unit(theirs), name);
}

/// Equal up to half a unit of the last of so many decimals.
pub fn decimals(ours: f64, theirs: f64, digits: i32, name: &str) {
    close(ours, theirs, 0.5 * 10f64.powi(-digits) * 1.000_001, name);
}

/// Equal up to an absolute tolerance.
pub fn close(ours: f64, theirs: f64, allowed: f64, name: &str) {
    assert!(
        (ours - theirs).abs() <= allowed,
        "{name}: {ours} is not {theirs} up to {allowed}"
    );
}
