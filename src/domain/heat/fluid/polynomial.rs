//! A property as a polynomial of temperature, and its exact integral.

/// Coefficients of the powers 0, 1, 2 … of temperature over an origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polynomial {
    /// Where the variable is zero, °C: −273.15 for a polynomial in kelvin.
    pub origin_c: f64,
    /// From the constant upwards.
    pub coefficients: &'static [f64],
}

impl Polynomial {
    /// A polynomial in °C.
    pub const fn celsius(coefficients: &'static [f64]) -> Self {
        Self {
            origin_c: 0.0,
            coefficients,
        }
    }

    /// A polynomial in kelvin.
    pub const fn kelvin(coefficients: &'static [f64]) -> Self {
        Self {
            origin_c: -273.15,
            coefficients,
        }
    }

    /// The value at a temperature in °C.
    pub fn at(&self, celsius: f64) -> f64 {
        let x = celsius - self.origin_c;
        self.coefficients
            .iter()
            .rev()
            .fold(0.0, |sum, c| sum * x + c)
    }

    /// The integral from the origin to a temperature in °C.
    pub fn integral(&self, celsius: f64) -> f64 {
        let x = celsius - self.origin_c;
        let mut power = 1.0;
        let mut sum = 0.0;
        for (c, degree) in self.coefficients.iter().zip(1_u32..) {
            power *= x;
            sum += c * power / f64::from(degree);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_and_its_integral() {
        let square = Polynomial::celsius(&[1.0, 2.0, 3.0]);
        assert_eq!(square.at(2.0), 17.0);
        assert_eq!(square.integral(2.0), 2.0 + 4.0 + 8.0);
        assert_eq!(Polynomial::kelvin(&[0.0, 1.0]).at(0.0), 273.15);
    }
}
