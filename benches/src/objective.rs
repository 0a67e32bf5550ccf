//! The objectives of the cases: functions of the library, and array expressions.

use overparam::expression::Data;
use overparam::prelude::{Expression, Function, Problem};
use overparam::{Couplings, expression};
use std::fmt;

/// The objective of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective {
    /// A function that comes with the library.
    Function(Function),
    /// An objective of one's own.
    Expression(&'static Own),
}

/// An array expression that other programs know by name.
#[derive(Debug, PartialEq)]
pub struct Own {
    /// The name in tables.
    pub name: &'static str,
    /// The name that peers know the function by.
    pub peer: &'static str,
    /// The number of coordinates.
    pub d: usize,
    text: &'static str,
    bounds: [f64; 2],
    /// The values for which F is 0 and 1.
    pub range: [f64; 2],
    /// Rows and columns of the data, by their names in the expression.
    data: &'static [(&'static str, usize, usize)],
}

/// The expressions that are timed.
pub static EXPRESSIONS: [Own; 7] = [
    Own {
        name: "rastrigin, expression",
        peer: "rastrigin",
        d: 50,
        text: "sum(u^2 - 10*cos(2*pi*u) + 10)",
        bounds: [-5.12, 5.12],
        range: [0.0, 2017.664],
        data: &[],
    },
    Own {
        name: "ackley, expression",
        peer: "ackley",
        d: 50,
        text: "-20*exp(-0.2*sqrt(mean(u^2))) - exp(mean(cos(2*pi*u))) + 20 + e",
        bounds: [-32.768, 32.768],
        range: [0.0, 22.35],
        data: &[],
    },
    Own {
        name: "rosenbrock, expression",
        peer: "rosenbrock",
        d: 50,
        text: "sum(100*(u[1:] - u[:-1]^2)^2 + (u[:-1] - 1)^2)",
        bounds: [-5.0, 10.0],
        range: [0.0, 4e7],
        data: &[],
    },
    Own {
        name: "griewank, expression",
        peer: "griewank",
        d: 50,
        text: "sum(u^2)/4000 - prod(cos(u/sqrt(i + 1))) + 1",
        bounds: [-600.0, 600.0],
        range: [0.0, 4500.0],
        data: &[],
    },
    Own {
        name: "lennard-jones, expression",
        peer: "lennard-jones",
        d: 39,
        text: "p = reshape(u, 13, 3); q = take(p, pairs(13)[0]) - take(p, pairs(13)[1]); r = maximum(sum(q^2, axis=1), 0.3); sum(r^-6 - 2*r^-3)",
        bounds: [-4.0, 4.0],
        range: [-50.0, 1e4],
        data: &[],
    },
    Own {
        name: "turned-rastrigin, expression",
        peer: "turned-rastrigin",
        d: 50,
        text: "v = A @ u; sum(v^2 - 10*cos(2*pi*v) + 10)",
        bounds: [-5.12, 5.12],
        range: [0.0, 2017.664],
        data: &[("A", 50, 50)],
    },
    Own {
        name: "phase-retrieval, expression",
        peer: "phase-retrieval",
        d: 50,
        text: "mean(((A @ u)^2 - b)^2)",
        bounds: [-1.0, 1.0],
        range: [0.0, 1e4],
        data: &[("A", 200, 50), ("b", 200, 1)],
    },
];

impl Own {
    /// True without a matrix and without pairs of points.
    pub fn is_elementwise(&self) -> bool {
        self.data.is_empty() && !self.text.contains("pairs(")
    }

    /// All numbers of the data, in their order, row-major: those of the first are a reflection if it is square, else standard normals.
    pub fn numbers(&self) -> Vec<f64> {
        let mut normals = Couplings::draw(1, 64);
        let mut numbers = Vec::new();
        for &(_, rows, columns) in self.data {
            if rows == columns {
                let w: Vec<f64> = normals.by_ref().take(rows).collect();
                let length: f64 = w.iter().map(|w| w * w).sum();
                let entry = |at: usize| f64::from(at / rows == at % rows) - 2.0 * w[at / rows] * w[at % rows] / length;
                numbers.extend((0..rows * rows).map(entry));
            } else {
                numbers.extend(normals.by_ref().take(rows * columns));
            }
        }
        numbers
    }

    /// The expression with its data.
    fn expression(&self) -> Result<Expression, overparam::Error> {
        let numbers = self.numbers();
        let mut rest = &numbers[..];
        let mut take = |&(name, rows, columns): &(&str, usize, usize)| {
            let (taken, left) = rest.split_at(rows * columns);
            rest = left;
            let data = if columns == 1 { Data::vector(taken) } else { Data::matrix(rows, columns, taken) };
            (name.to_owned(), data)
        };
        let data: Vec<(String, expression::Data)> = self.data.iter().map(&mut take).collect();
        let [lo, hi] = self.range;
        Ok(Expression::parse(self.text, self.bounds, data)?.range(lo, hi).named(self.name))
    }
}

impl Objective {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function(function) => function.name(),
            Self::Expression(own) => own.name,
        }
    }

    /// The name that peers know the function by.
    pub fn peer(self) -> &'static str {
        match self {
            Self::Function(function) => function.name(),
            Self::Expression(own) => own.peer,
        }
    }

    /// The raw values for which F is 0 and 1.
    pub fn range(self, dimension: usize) -> [f64; 2] {
        match self {
            Self::Function(function) => {
                let description = function.describe(dimension);
                [description.minimum, description.maximum]
            }
            Self::Expression(own) => own.range,
        }
    }

    /// True for an expression.
    pub fn is_expression(self) -> bool {
        matches!(self, Self::Expression(_))
    }
}

impl From<Function> for Objective {
    fn from(function: Function) -> Self {
        Self::Function(function)
    }
}

impl PartialEq<Function> for Objective {
    fn eq(&self, other: &Function) -> bool {
        matches!(self, Self::Function(function) if function == other)
    }
}

impl From<Objective> for Problem {
    fn from(objective: Objective) -> Self {
        match objective {
            Objective::Function(function) => function.into(),
            Objective::Expression(own) => own.expression().expect("the texts above are right").into(),
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_is_one_in_its_number_of_coordinates() {
        for own in &EXPRESSIONS {
            let problem = Problem::from(Objective::Expression(own));
            assert!(problem.gradient_error(own.d, 0).unwrap() < 1e-5, "{}", own.name);
        }
    }
}
