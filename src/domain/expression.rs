//! Meters that are computed from others: `main - tenant_a - 0.5 * shared`.
//!
//! An expression is a sum of meters with factors, and nothing more: what it says can be
//! read in one glance, and **one missing meter makes it missing**, by name. Energies are
//! exact: factors are decimals, and the sum is rounded once to the milliwatt-hour.
//!
//! ```text
//!   expression = ["-"] term { ("+" | "-") term }
//!   term       = [number "*"] meter
//! ```
//!
//! A meter's name may hold `-`, so that a minus between two meters stands apart.

use std::sync::Arc;

use super::provenance::Made;
use super::quality::{Gaps, Quality, Reason};
use super::stated::{Known, Stated, combine};
use super::units::{MilliwattHours, decimal, to_f64};

/// A factor has at most so many decimals and so many digits before them: the product
/// with any register is then an `i128`.
const MOST_DECIMALS: i128 = 1_000_000_000;
const MOST_FACTOR: f64 = 1e6;

/// A factor, exact to a billionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Factor(i128);

impl Factor {
    fn as_f64(self) -> f64 {
        i64::try_from(self.0).map_or(f64::NAN, to_f64) / 1e9
    }
}

/// A meter with its factor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    meter: Arc<str>,
    factor: Factor,
}

/// A sum of meters with factors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    terms: Vec<Term>,
}

/// What is wrong with an expression, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {fault}; {remedy}")]
pub struct ExpressionError {
    /// Where, in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub fault: String,
    /// What would be right.
    pub remedy: String,
}

fn error(column: usize, fault: impl Into<String>, remedy: impl Into<String>) -> ExpressionError {
    ExpressionError {
        column,
        fault: fault.into(),
        remedy: remedy.into(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'a> {
    Plus,
    Minus,
    Times,
    Word(&'a str),
}

impl Expression {
    /// Reads an expression over the meters that `is_meter` knows.
    ///
    /// # Errors
    ///
    /// [`ExpressionError`] for the first thing that is no sum of meters.
    pub fn parse(text: &str, is_meter: &dyn Fn(&str) -> bool) -> Result<Self, ExpressionError> {
        let tokens = tokens(text)?;
        let mut tokens = tokens.iter().copied().peekable();
        let end = text.chars().count() + 1;
        let mut terms: Vec<Term> = Vec::new();
        while let Some((column, token)) = tokens.next() {
            let first = terms.is_empty();
            let (negative, signed) = match token {
                Token::Minus => (true, true),
                Token::Plus if !first => (false, true),
                Token::Word(_) if first => (false, false),
                Token::Word(_) => {
                    return Err(error(
                        column,
                        "two meters without a sign between them",
                        "write `+` or `-`",
                    ));
                }
                Token::Plus | Token::Times => {
                    return Err(error(
                        column,
                        "a sign with nothing before it",
                        "begin with a meter",
                    ));
                }
            };
            let term = if signed {
                tokens.next()
            } else {
                Some((column, token))
            };
            let Some((column, Token::Word(word))) = term else {
                let column = term.map_or(end, |(column, _)| column);
                return Err(error(
                    column,
                    "a sign with no meter behind it",
                    "name a meter, or leave the sign out",
                ));
            };
            let times = |token: &(usize, Token<'_>)| token.1 == Token::Times;
            let (meter, factor) = if tokens.next_if(times).is_some() {
                let factor = factor(word).ok_or_else(|| {
                    error(
                        column,
                        format!("`{word}` is no factor"),
                        "a factor is a decimal number before the meter, such as `0.5 * meter`",
                    )
                })?;
                match tokens.next() {
                    Some((column, Token::Word(word))) => ((column, word), factor),
                    other => {
                        let column = other.map_or(end, |(column, _)| column);
                        return Err(error(
                            column,
                            "a factor with no meter behind it",
                            "name a meter",
                        ));
                    }
                }
            } else {
                ((column, word), Factor(MOST_DECIMALS))
            };
            let (column, name) = meter;
            known(column, name, is_meter)?;
            let factor = if negative { Factor(-factor.0) } else { factor };
            match terms.iter_mut().find(|term| *term.meter == *name) {
                Some(term) => term.factor.0 += factor.0,
                None => terms.push(Term {
                    meter: name.into(),
                    factor,
                }),
            }
        }
        if terms.is_empty() {
            return Err(error(1, "nothing to compute", "name a meter"));
        }
        if let Some(term) = terms.iter().find(|term| term.factor.0 == 0) {
            return Err(error(
                1,
                format!("`{}` cancels", term.meter),
                "leave it out",
            ));
        }
        Ok(Self { terms })
    }

    /// The meters, each once, in the order of the text.
    pub fn meters(&self) -> impl Iterator<Item = &Arc<str>> {
        self.terms.iter().map(|term| &term.meter)
    }

    /// The meters with their factors, each once, in the order of the text.
    pub fn coefficients(&self) -> impl Iterator<Item = (&Arc<str>, f64)> {
        self.terms
            .iter()
            .map(|term| (&term.meter, term.factor.as_f64()))
    }

    /// The power, W; unknown if that of one meter is, and every such meter is named.
    pub fn power(&self, of: &dyn Fn(&str) -> Stated<f64>) -> Stated<f64> {
        self.sum(
            of,
            0.0,
            |value, factor| value * factor.as_f64(),
            |a, b| a + b,
        )
    }

    /// The meters with their factors, as nearest floats.
    pub fn terms(&self) -> impl Iterator<Item = (&Arc<str>, f64)> {
        self.terms
            .iter()
            .map(|term| (&term.meter, term.factor.as_f64()))
    }

    /// The energy, exact and rounded once; unknown if that of one meter is, and every
    /// such meter is named.
    pub fn energy(&self, of: &dyn Fn(&str) -> Stated<MilliwattHours>) -> Stated<MilliwattHours> {
        let product = |value: MilliwattHours, factor: Factor| i128::from(value.0) * factor.0;
        let sum = self.sum(of, 0, product, i128::saturating_add)?;
        let half = MOST_DECIMALS / 2 * sum.value.signum();
        let rounded = sum.value.saturating_add(half) / MOST_DECIMALS;
        let out_of_range = |_| {
            let meter = self
                .terms
                .first()
                .map_or_else(|| "".into(), |term| Arc::clone(&term.meter));
            Gaps::one(&meter, Reason::OutOfRange)
        };
        let value = i64::try_from(rounded).map_err(out_of_range)?;
        Ok(sum.with(MilliwattHours(value)))
    }

    /// The sum of all products. It is derived at best.
    fn sum<N: Copy, S: Copy>(
        &self,
        of: &dyn Fn(&str) -> Stated<N>,
        nothing: S,
        product: impl Fn(N, Factor) -> S,
        add: impl Fn(S, S) -> S,
    ) -> Stated<S> {
        let mut sum = Ok(Known {
            quality: Quality::Derived,
            made: Made::DERIVED,
            ..Known::given(nothing)
        });
        // Not cut short at the first gap: every meter that is missing is named.
        for term in &self.terms {
            let part = of(&term.meter);
            let part = part.map(|known| known.with(product(known.value, term.factor)));
            sum = combine(&sum, &part, &add);
        }
        sum
    }
}

/// Whether a name is that of a meter; a sign that sticks to a name is found.
fn known(
    column: usize,
    name: &str,
    is_meter: &dyn Fn(&str) -> bool,
) -> Result<(), ExpressionError> {
    if is_meter(name) {
        return Ok(());
    }
    if factor(name).is_some() {
        let remedy = format!("a factor stands before a meter: `{name} * meter`");
        return Err(error(column, "a number alone is no meter", remedy));
    }
    let mut cuts = name.match_indices('-').filter_map(|(at, _)| {
        let (before, after) = (name.get(..at)?, name.get(at + 1..)?);
        (is_meter(before) && (after.is_empty() || is_meter(after))).then_some((before, after))
    });
    let remedy = match cuts.next() {
        Some((before, after)) => format!("a minus stands apart: `{before} - {after}`"),
        None => "name a meter of the configuration".to_owned(),
    };
    Err(error(column, format!("`{name}` is no meter"), remedy))
}

/// A decimal number above zero.
fn factor(word: &str) -> Option<Factor> {
    let plain = word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value: f64 = word
        .parse()
        .ok()
        .filter(|value| plain && *value <= MOST_FACTOR)?;
    let (digits, scale) = decimal(value)?;
    let exact = MOST_DECIMALS.checked_rem(scale)? == 0;
    exact.then(|| Factor(digits * (MOST_DECIMALS / scale)))
}

/// Signs and words with their columns.
fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, ExpressionError> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut column = 1;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            _ if c.is_whitespace() => c.len_utf8(),
            '+' | '-' | '*' => {
                let token = match c {
                    '+' => Token::Plus,
                    '-' => Token::Minus,
                    _ => Token::Times,
                };
                tokens.push((column, token));
                1
            }
            _ if is_word(c) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let (word, _) = rest.split_at(length);
                tokens.push((column, Token::Word(word)));
                length
            }
            _ => {
                let remedy =
                    "an expression is a sum of meters, each with a factor: `a + b - 0.5 * c`";
                return Err(error(column, format!("`{c}` has no meaning here"), remedy));
            }
        };
        let (taken, left) = rest.split_at(length);
        column += taken.chars().count();
        rest = left;
    }
    Ok(tokens)
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
