//! Rows of text in columns.

/// Which way a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows in columns, two spaces apart, indented by two; columns beyond `sides` are set
/// to the left.
#[must_use]
pub fn columns(rows: &[Vec<String>], sides: &[Side]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line.push_str("  ");
            match sides.get(place) {
                Some(Side::Right) => line.push_str(&format!("{cell:>width$}")),
                _ => line.push_str(&format!("{cell:<width$}")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_left_and_numbers_right() {
        let rows = [
            vec!["a".to_owned(), "1".to_owned(), "°C".to_owned()],
            vec!["abc".to_owned(), "100".to_owned()],
        ];
        let text = columns(&rows, &[Side::Left, Side::Right]);
        assert_eq!(text, "  a      1  °C\n  abc  100\n");
    }
}
