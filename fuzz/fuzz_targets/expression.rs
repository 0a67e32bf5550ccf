#![no_main]
//! Texts of expressions: parsed, recorded in three dimensions, and computed if their sizes allow.

use libfuzzer_sys::fuzz_target;
use overparam::expression::Data;
use overparam::{Expression, Problem};

fuzz_target!(|text: &str| {
    let data = [
        ("A".to_owned(), Data::matrix(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("b".to_owned(), Data::vector(vec![0.5, -0.5, 2.0])),
    ];
    let Ok(expression) = Expression::parse(text, [-2.0, 3.0], data) else { return };
    if expression.check(3).is_ok() {
        let points = [0.0, 0.5, 1.0, 0.25, 0.75, 0.125];
        if let Ok(found) = Problem::from(&expression).evaluate::<f64>(3, 0, &points) {
            assert_eq!((found.scaled.len(), found.gradient.len()), (2, 6));
        }
    }
});
