//! Tests of the text form.

use super::evaluate::evaluate;
use super::*;
use crate::array::record;
use crate::expression::coordinates;
use crate::graph::Graph;
use proptest::prelude::*;

const DIMENSION: usize = 6;

/// v, a vector of six; m, 2 × 3; w, a vector of three.
fn data() -> [(String, Data); 3] {
    let m = Data::matrix(2, 3, vec![1.0, -2.0, 3.0, 4.0, 5.0, -6.0]);
    let v = Data::vector(vec![0.5, -1.25, 2.0, 3.5, -0.75, 1.0]);
    [("v".to_owned(), v), ("m".to_owned(), m), ("w".to_owned(), Data::vector(vec![1.0, 0.5, 2.0]))]
}

/// The message of the mistake in `text` in six dimensions, or nothing.
fn message(text: &str) -> String {
    let parsed = Expression::parse(text, [-1.0, 1.0], data());
    parsed.and_then(|expression| expression.check(DIMENSION)).map_or_else(|error| error.to_string(), |()| String::new())
}

/// The value of a text without coordinates.
fn constant(text: &str) -> f64 {
    let (names, data): (Vec<String>, Vec<Data>) = data().into_iter().unzip();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let program = syntax::program(text, &names).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
    let mut found = None;
    let coordinates = |graph: &mut Graph| coordinates(graph, DIMENSION, &Bounds::from([-1.0, 1.0]));
    let recorded = record(DIMENSION, std::panic::Location::caller(), coordinates, |[u, x]| {
        let result = evaluate(&program, u, x, &data)?;
        found = result.known();
        Ok::<_, Mistake>(result)
    });
    assert!(matches!(recorded, Ok(Ok(_))), "{text}");
    found.unwrap_or_else(|| panic!("{text} is no constant"))[0]
}

/// As numpy 2.4.6 evaluates them, with `relu`, `softplus`, `sigmoid`, `erf` and `logsumexp` by their definitions.
#[expect(clippy::unreadable_literal, reason = "printed by numpy")]
const NUMPY: [(&str, f64); 89] = [
    ("-2**2", -4.0),
    ("2**-1", 0.5),
    ("2**3**2", 512.0),
    ("-2**-2", -0.25),
    ("(-2)**2", 4.0),
    ("2*-3", -6.0),
    ("1-2-3", -4.0),
    ("8/4/2", 1.0),
    ("2+3*4", 14.0),
    ("2*3**2", 18.0),
    ("-3*-2", 6.0),
    ("+-+2", -2.0),
    ("6/2*3", 9.0),
    ("2**-3**0.5", 0.30102374393092846),
    ("-v[1]**2", -1.5625),
    ("1 - -1", 2.0),
    ("2*3 - 4/5 + 6", 11.2),
    ("3 < 2 + 2", 1.0),
    ("1 + 1 == 2", 1.0),
    ("(3 > 2) + 1", 2.0),
    ("2*3 >= 7 - 1", 1.0),
    ("1 != 1", 0.0),
    ("sum(v < 1)", 3.0),
    ("sum(where(v > 0, v, -2*v))", 11.0),
    ("10 - 2**2 * 3", -2.0),
    ("2 * v[1] ** 3", -3.90625),
    ("sum(m @ w * 2)", 1.0),
    ("sum(2 * m @ w + 1)", 3.0),
    ("w @ w", 5.25),
    ("v[-1] - v[0]", 0.5),
    ("sum(v[1:])", 4.5),
    ("sum(v[:-1]*v[1:])", 0.5),
    ("sum(v[::2])", 1.75),
    ("sum(v[::-1]*i)", 9.75),
    ("sum(v[1::2] - v[0::2])", 1.5),
    ("sum(v[4:1:-1]*i[:3])", 7.5),
    ("v[2:100][-1]", 1.0),
    ("m[1, 2]", -6.0),
    ("sum(m[:, 0])", 5.0),
    ("sum(m[0, 1:])", 1.0),
    ("sum(m[:, ::-1] * w)", 8.5),
    ("sum(m[1] * w)", -5.5),
    ("sum(m[-1])", 3.0),
    ("sum(take(v, [0, 2, -1]))", 3.5),
    ("sum(take(i, pairs(4)[0]) * take(v, pairs(4)[1]))", 12.5),
    ("sum(v[[1, 3]])", 2.25),
    ("sum(m.T @ [1, 2])", 8.0),
    ("sum(reshape(v, 2, 3)[1])", 3.75),
    ("sum(reshape(v, (3, -1))[:, 1])", 3.25),
    ("sum(sum(m, axis=0) * w)", 0.5),
    ("sum(m, axis=1)[1]", 3.0),
    ("mean(m, axis=-1)[0]", 0.6666666666666666),
    ("norm(m, axis=1)[1]", 8.774964387392123),
    ("norm(v)", 4.430011286667337),
    ("prod(w)", 1.0),
    ("min(v) + max(v)", 2.25),
    ("mean(v)", 0.8333333333333334),
    ("logsumexp(v)", 3.820573777687067),
    ("dot(v, i)", 15.25),
    ("dot(m, w)[0]", 6.0),
    ("cumsum(v)[3]", 4.75),
    ("sum(cumsum(v) * i)", 57.0),
    ("sum(concatenate([v, w]))", 8.5),
    ("sum(concatenate([w, v])[2:5])", 1.25),
    ("sum(clip(v, -1, 1))", 1.75),
    ("sum(minimum(v, i)) + sum(maximum(v, 0.25))", 11.5),
    ("sum(arange(2, 10, 3))", 15.0),
    ("sum(arange(5) ** 2)", 30.0),
    ("size(v) + d", 12.0),
    ("sum(power(2, i))", 63.0),
    ("sum(floor(v)) + sum(sign(v))", 5.0),
    ("sum(abs(v))", 9.0),
    ("sum(square(v))", 19.625),
    ("sqrt(2) + exp(-1) + expm1(1e-3)", 1.7830935037112459),
    ("log(3) + log1p(-0.5)", 0.4054651081081645),
    ("sin(1) + cos(2) * tan(3)", 0.9007912777689882),
    ("arcsin(0.5) - arccos(0.25) / arctan(4)", -0.47059228684847276),
    ("sinh(1) + cosh(0.5) + tanh(-2)", 1.3387995787743652),
    ("sum(sigmoid(v)) + sum(relu(v)) + sum(softplus(v))", 19.331341385182498),
    ("sum(erf(v))", 1.7244664307733686),
    ("sum(i * pi) + e", 49.84217163230594),
    ("2 ** 0.5 ** 2", 1.189207115002721),
    ("1e-3 + 1.5E2 + .5 + 2.", 152.501),
    ("sum((v - 1) ** 2 / 4000) - prod(cos(v / sqrt(i + 1))) + 1", 1.0386554959740428),
    ("sum(m * w)", 0.5),
    ("sum(transpose(m)[2])", -3.0),
    ("ravel(m)[4]", 5.0),
    ("sum(v**2 - 10*cos(2*pi*v) + 10)", 79.625),
    ("-i[1] ** 2 + 3 ** -i[2] ** 2", -0.9876543209876543),
];

#[test]
fn values_are_those_of_numpy() {
    for (text, expected) in NUMPY {
        let found = constant(text);
        assert!((found - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{text} = {found}, {expected} expected");
    }
    // ^ is the same as **.
    for (text, expected) in NUMPY.iter().filter(|(text, _)| text.contains("**")) {
        assert_eq!(constant(&text.replace("**", "^")), constant(text), "{text}, {expected}");
    }
}

/// Texts, each with the message about it and the characters that the carets are under, counted from 0.
const MISTAKES: [(&str, &str, std::ops::Range<usize>); 72] = [
    ("sum(u", "expected an operator, ',' or ')', found the end", 5..6),
    ("sum(u^2 - )", "expected a number, a name, a function or '(', found ')'", 10..11),
    ("sum(u) +", "expected a number, a name, a function or '(', found the end", 8..9),
    ("2 u", "expected an operator or the end, found 'u'", 2..3),
    ("u", "expected a single number as the result, found a vector of 6: sum(…) makes one", 0..1),
    ("sume(u)", "unknown function 'sume': did you mean 'sum'?", 0..4),
    ("sin", "expected the arguments of a function, sin(v)", 0..3),
    ("sin + 1", "expected the arguments of a function, sin(v)", 0..3),
    ("u(1)", "'u' is not a function: u[0] takes a part, u * (…) multiplies", 0..1),
    ("ln(u)", "unknown function 'ln': did you mean 'log'?", 0..2),
    ("sum(u) + q_q", "unknown name 'q_q': there are d, e, i, m, pi, u, v, w, x and functions", 9..12),
    ("1e400", "expected a number of double precision, at most 1.8e308", 0..5),
    ("u[5:2]", "the slice from 5 to 2 by 1 of a vector of 6 holds nothing", 1..6),
    ("u[100]", "expected whole numbers from -6 to 5 as places, found 100", 2..5),
    ("pairs(0)[0]", "expected a whole number, at least 2, of what is to be paired, found 0", 6..7),
    ("pairs(1e7)[0]", "expected at most 16777216 pairs, found 49999995000000", 6..9),
    ("sum(pairs(3))", "expected pairs(…)[0] or pairs(…)[1], found both at once", 4..12),
    ("take(u, pairs(3)[2])", "expected [0] or [1]: the first or the second of each pair", 16..19),
    (
        "reshape(u, 0, 3)",
        "expected a whole number of rows or columns, at least 1, or -1 for what is left, found 0",
        11..12,
    ),
    ("reshape(u, 4, 2)", "a vector of 6 has 6 elements, which does not fill 4 × 2", 0..7),
    ("take(u, 1.5)", "expected whole numbers from -6 to 5 as places, found 1.5", 8..11),
    ("sum(take(u, [0, 7]))", "expected whole numbers from -6 to 5 as places, found 7", 12..18),
    ("sum(u$)", "expected a number, a name or an operator, found '$'", 5..6),
    ("sum(u) - !", "expected a number, a name or an operator, found '!'", 9..10),
    ("sum(u) − 1", "expected a number, a name or an operator, found '−': write -", 7..8),
    ("sum(u²)", "expected a number, a name or an operator, found '²': write ^2", 5..6),
    ("sum(u) ; 3", "expected a name for each part before the last: name = …;", 0..8),
    ("u = 3; 2", "'u' has a meaning already: choose another name for this part", 0..1),
    ("sum = 3; 2", "'sum' has a meaning already: choose another name for this part", 0..3),
    ("a = 2", "expected an operator, or ';' after a named part, found the end", 5..6),
    ("a = 2;", "expected a number, a name, a function or '(', found the end", 6..7),
    ("1 < 2 < 3", "comparisons do not chain: write where(a < b, where(b < c, …, …), …)", 6..7),
    ("sum(u, axis=2)", "expected an axis of a vector of 6, found 2", 12..13),
    ("sum(u, axi=1)", "expected sum(v) or sum(m, axis=1), found 'axi='", 7..10),
    ("sum(u, 1, 2)", "expected sum(v) or sum(m, axis=1), found 3 arguments", 0..12),
    ("max(u, 2)", "expected max(v), or maximum(a, b) of two, found 2 arguments", 0..9),
    ("sum()", "expected sum(v) or sum(m, axis=1), found no argument", 0..5),
    ("where(u < 1, 2)", "expected where(condition, a, b), found 2 arguments", 0..15),
    (
        "sum(u[1:] - u)",
        "the difference of a vector of 5 and a vector of 6: the shapes must be the same, or one a scalar",
        10..11,
    ),
    (
        "sum(m @ u)",
        "the product of a matrix of 2 × 3 and a vector of 6: the 3 columns on the left must be as many as the 6 rows on the right",
        6..7,
    ),
    ("m @ w", "expected a single number as the result, found a vector of 2: sum(…) makes one", 0..5),
    ("(u, 2)", "expected a list of numbers, found a vector of 6 in it: concatenate([…]) joins arrays", 0..6),
    (
        "u.sum()",
        "expected T for the transposed matrix after '.' (a function is written before its argument, sum(u)), found 'sum'",
        2..5,
    ),
    ("np.sin(u)", "expected a name, found 'np.': functions are written without a prefix, sum(u)", 0..2),
    ("m[0, 1, 2]", "expected at most two subscripts, of a row and a column", 1..10),
    ("u[0][0]", "expected a vector or a matrix to take from, found a scalar", 5..6),
    ("u[0, 1]", "expected one subscript for a vector of 6, found two", 5..6),
    ("u[1.5]", "expected whole numbers from -6 to 5 as places, found 1.5", 2..5),
    ("u[x[0]]", "expected places such as [0, 2], found what depends on the coordinates", 2..6),
    ("u[", "expected a number, a name, a function or '(', found the end", 2..3),
    ("u[]", "expected a place or a slice such as 1:, found ']'", 2..3),
    ("u[1:2:3:4]", "expected at most first:end:step, found ':'", 7..8),
    ("u[::0]", "the step of a slice must be other than 0", 1..6),
    ("arange(0)", "expected from 1 to 16777216 numbers in arange(…), found 0", 0..6),
    ("arange(1e9)", "expected from 1 to 16777216 numbers in arange(…), found 1000000000", 0..6),
    ("concatenate(u)", "expected a list of arrays, such as [u[1:], u[:1]]", 12..13),
    ("sum(concatenate([m, u]))", "a matrix of 2 × 3 and a vector of 6 do not fit one after the other", 4..15),
    ("sum(u) if 2", "expected an operator or the end, found 'if'", 7..9),
    ("1 +* 2", "expected a number, a name, a function or '(', found '*'", 3..4),
    ("sum((u)", "expected an operator, ',' or ')', found the end", 7..8),
    ("sum(u))", "expected an operator or the end, found ')'", 6..7),
    ("sum(u[0)", "expected an operator, ':', ',' or ']', found ')'", 7..8),
    (
        "f(u)",
        "unknown function 'f': there are sqrt, exp, expm1, log, log1p, sin, cos, tan, arcsin, arccos, arctan, sinh, cosh, tanh, abs, sign, floor, relu, softplus, sigmoid, erf, square, cumsum, transpose, ravel, minimum, maximum, power, dot, where, clip, sum, mean, norm, prod, min, max, logsumexp, concatenate, reshape, take, arange, pairs, size",
        0..1,
    ),
    ("m + u", "the sum of a matrix of 2 × 3 and a vector of 6: the shapes must be the same, or one a scalar", 2..3),
    (
        "dot(m, u)",
        "the product of a matrix of 2 × 3 and a vector of 6: the 3 columns on the left must be as many as the 6 rows on the right",
        0..3,
    ),
    (
        "reshape(u, u[0], 2)",
        "expected a whole number of rows or columns, at least 1, or -1 for what is left, found what depends on the coordinates",
        11..15,
    ),
    ("reshape(u, 2, 3, 4)", "expected reshape(v, rows, columns), found 4 arguments", 0..19),
    ("sum(u, axis=u[0])", "expected the number of an axis, found what depends on the coordinates", 12..16),
    ("relu(u)[0] = 3", "expected an operator or the end, found '='", 11..12),
    ("1..2", "expected an operator or the end, found '.2'", 2..4),
    ("1.5.2", "expected an operator or the end, found '.2'", 3..5),
    ("u + 2 m", "expected an operator or the end, found 'm'", 6..7),
];

#[test]
fn mistakes_are_shown_where_they_are() {
    for (text, problem, place) in MISTAKES {
        let shown = format!("\n  {text}\n  {}{}", " ".repeat(place.start), "^".repeat(place.len()));
        assert_eq!(message(text), format!("{problem}{shown}"));
    }
}

#[test]
fn an_empty_text_is_a_mistake() {
    for text in ["", " ", "\n\t ", "# nothing", " # one\n# two"] {
        assert_eq!(message(text), "expected a number, a name, a function or '(', found nothing", "{text:?}");
    }
}

#[test]
fn what_is_right_has_no_message() {
    let texts = [
        "sum(u^2 - 10*cos(2*pi*u) + 10)",
        "p = reshape(u, 2, 3); q = take(p, pairs(2)[0]) - take(p, pairs(2)[1]); r = sum(q^2, axis=1); sum(r^-6 - 2*r^-3)",
        "a = 1;\n b = a + 1; # two\n a = b; sum(a*u);",
        "sum(where(u < 0, -u, u) * x + i) / d",
        "norm(m @ u[:3] - [1, 2,])",
        "sum(reshape(u, -1, 2)[:, 0] ** 2) + e",
        "sum(take(u, [0, 2, -1]))",
        "\u{a0}sum(u)",
    ];
    for text in texts {
        assert_eq!(message(text), "", "{text}");
    }
}

#[test]
fn long_lines_are_cut_around_the_mistake() {
    let terms = |count: usize| vec!["sum(u)"; count].join(" + ");
    let text = format!("{} + sim(u) + {}", terms(100), terms(100));
    let shown = message(&text);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "unknown function 'sim': did you mean 'sin'?");
    assert!(
        lines[1].starts_with("  …") && lines[1].ends_with('…') && lines[1].chars().count() <= WINDOW + 4,
        "{shown}"
    );
    let place = lines[2].find('^').unwrap();
    let marked: String = lines[1].chars().skip(place).take(3).collect();
    assert_eq!((marked.as_str(), &lines[2][place..]), ("sim", "^^^"), "{shown}");
    // Of several lines, the one with the mistake.
    assert_eq!(message("a = 1;\nsum(u) +\n  sim(u)\n + 1").lines().nth(1), Some("    sim(u)"));
}

#[test]
fn carets_are_under_wide_and_combined_characters() {
    let carets = |text: &str| message(text).lines().last().map(|line| line.find('^').unwrap_or_default() - 2);
    assert_eq!(carets("größe = 1; sum(u) + $"), Some(20));
    assert_eq!(carets("字 = 1; sum(u) + $"), Some(17));
    assert_eq!(carets("e\u{301}").map(|_| ()), Some(()));
    assert_eq!(carets("\tsum(u) + $"), Some(10));
}

#[test]
fn deep_and_long_texts_are_refused_quickly_or_work() {
    let begun = std::time::Instant::now();
    let deep = [
        format!("{}u{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{}u{}", "sum(".repeat(10_000), ")".repeat(10_000)),
        format!("u{}", "[0".repeat(10_000)),
        format!("{}1", "-".repeat(10_000)),
        vec!["2"; 10_000].join("^"),
        format!("{}1", "[".repeat(500_000)),
        format!("{}1", "2^-".repeat(300_000)),
    ];
    for text in deep {
        let found = message(&text);
        assert!(found.starts_with("the expression is nested more than 200 deep: name parts of it\n"), "{found}");
        assert_eq!(found.lines().count(), 3);
    }
    let most = "1 + ".repeat((1 << 18) - 1) + "u[0]";
    assert_eq!((most.len(), message(&most)), (1 << 20, String::new()));
    assert_eq!(message(&format!("{}sum(u)", "sum(sin(u)) + ".repeat(70_000))), "");
    assert!(message(&"x".repeat(1 << 20)).starts_with("unknown name 'xxxxxxxxxxxxxxxxxxxx…': there are "));
    let longer = message(&" ".repeat((1 << 20) + 1));
    assert_eq!(longer, "expected a text of at most 1048576 bytes, found one of 1048577");
    // Less than a second alone; what grows with the square of the length takes hours.
    assert!(begun.elapsed().as_secs() < 300, "{:?}", begun.elapsed());
}

#[test]
fn names_of_data_are_checked() {
    let wrong = |names: &[&str]| {
        let data = names.iter().map(|name| ((*name).to_owned(), Data::vector(vec![1.0, 2.0])));
        Expression::parse("sum(u)", [0.0, 1.0], data.collect::<Vec<_>>()).unwrap_err().to_string()
    };
    assert_eq!(wrong(&["2a"]), "the name of data must be a letter, then letters, digits and _, not 2a");
    assert_eq!(wrong(&[""]), "the name of data must be a letter, then letters, digits and _, not ");
    assert_eq!(wrong(&["a", "u"]), "the name of data must be one that has no meaning in expressions, not u");
    assert_eq!(wrong(&["sum"]), "the name of data must be one that has no meaning in expressions, not sum");
    assert_eq!(wrong(&["a", "b", "a"]), "the name of data must be different for each, not a twice");
}

/// A text that is often right: of all operations, with the wrong shapes at times.
fn texts() -> impl Strategy<Value = String> {
    let leaves = vec!["u", "x", "d", "i", "pi", "e", "v", "m", "w", "1", "2", "0.5", "1e400", "-1", "3", "0"];
    let leaf = proptest::sample::select(leaves).prop_map(str::to_owned);
    leaf.prop_recursive(6, 60, 4, |inner| {
        let names: Vec<&str> = function::FUNCTIONS.iter().map(|function| function.name).collect();
        let operators = vec!["+", "-", "*", "/", "^", "**", "@", "<", "<=", ">", ">=", "==", "!="];
        let name = proptest::sample::select(names);
        prop_oneof![
            (inner.clone(), proptest::sample::select(operators), inner.clone())
                .prop_map(|(a, o, b)| format!("{a} {o} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (name, proptest::collection::vec(inner.clone(), 0..4)).prop_map(|(f, a)| format!("{f}({})", a.join(", "))),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|a| format!("[{}]", a.join(", "))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a}[{b}:{c}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[::{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("sum({a}, axis={b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[:, {b}]")),
            inner.prop_map(|a| format!("{a}.T")),
        ]
    })
}

/// A message is short, and has its place within the line that it shows.
fn check_message(text: &str) -> Result<(), TestCaseError> {
    let message = message(text);
    if message.is_empty() {
        return Ok(());
    }
    let lines: Vec<&str> = message.split('\n').collect();
    prop_assert!(lines.len() == 1 || lines.len() == 3, "{text:?}: {message}");
    prop_assert!(!lines[0].is_empty() && lines[0].chars().count() < 600, "{text:?}: {message}");
    prop_assert!(lines[0].chars().all(|c| !c.is_control()), "{text:?}: {message}");
    if let [_, line, carets] = lines[..] {
        let columns: usize = line.chars().map(width).sum();
        prop_assert!(carets.trim_start().chars().all(|c| c == '^') && carets.ends_with('^'), "{text:?}: {message}");
        prop_assert!(carets.len() <= columns + 2 && columns <= 2 * WINDOW + 4, "{text:?}: {message}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_evaluated_or_refused_in_a_message(text in ".{0,60}") {
        check_message(&text)?;
    }

    #[test]
    fn any_words_are_evaluated_or_refused_in_a_message(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "u", "x", "d", "i", "v", "m", "1", "2.5", "1e400", "sum", "take", "reshape", "pairs", "(", ")", "[", "]", ",", ":",
            ";", "=", "+", "-", "*", "/", "**", "^", "@", "<", "==", ".", ".T", "axis", "a", "#", "\n", "ß", "字", "🦀", "$", " ",
        ]), 0..25),
    ) {
        check_message(&words.concat())?;
        check_message(&words.join(" "))?;
    }

    #[test]
    fn expressions_are_evaluated_or_refused_in_a_message(text in texts()) {
        check_message(&text)?;
        check_message(&format!("sum({text})"))?;
        check_message(&format!("a = {text}; sum(a * a) + a[0]"))?;
    }

    #[test]
    fn changed_expressions_are_evaluated_or_refused_in_a_message(
        text in texts(),
        place in any::<prop::sample::Index>(),
        removed in 0..4_usize,
        added in "[-+*/^@<>=()\\[\\],;:.#a-z0-9 ñ]{0,3}",
    ) {
        let chars: Vec<char> = text.chars().collect();
        let place = place.index(chars.len() + 1);
        let rest = &chars[(place + removed).min(chars.len())..];
        let changed: String = chars[..place].iter().copied().chain(added.chars()).chain(rest.iter().copied()).collect();
        check_message(&changed)?;
    }
}
