//! A panel of points as a function sees it: coordinates in the box, and places for values and slopes.

use super::kernel::Best;
use crate::simd::{Lanes, Real, Simd};
use crate::squash::pairs;
use std::ops::Range;

/// The map from parameters to coordinates, and from the slope to what replaces the parameters.
pub(crate) trait Link<S: Simd, R: Real>: Copy {
    /// x of two parameters: of y, or of what stands for it.
    fn x(self, a: Lanes<S, R>, b: Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>);

    /// The number that replaces the parameter `y`; `spread` is x (1 - x), and `slope` df/du.
    fn replace(self, y: Lanes<S, R>, x: Lanes<S, R>, spread: Lanes<S, R>, slope: Lanes<S, R>) -> Lanes<S, R>;
}

/// The cube about its middle: in units of the box's width, what a box about 0 is.
pub(super) const CENTERED: [f64; 2] = [-0.5, 0.5];

/// A panel of points, and where what is found there goes.
pub(crate) struct Points<'a, S: Simd, R: Real, L> {
    pub simd: S,
    pub dimension: usize,
    /// Registers in a row of the panel.
    pub width: usize,
    /// Those that hold the points.
    pub columns: Range<usize>,
    pub(super) y: &'a mut [R::Register<S>],
    pub(super) x: &'a mut [R::Register<S>],
    /// As many rows as the definition asked for.
    pub scratch: &'a mut [R],
    pub(super) values: &'a mut [R::Register<S>],
    pub(super) best: &'a mut Best<R>,
    pub(super) link: L,
    pub(super) domain: [f64; 2],
    pub(super) range: [f64; 2],
    /// True if only rounding puts a value below the range.
    pub(super) bounded: bool,
}

impl<S: Simd, R: Real, L: Link<S, R>> Points<'_, S, R, L> {
    /// Evaluates a register of points after the other; `function` gives their values.
    #[inline(always)]
    pub(crate) fn each(self, function: impl Fn(&mut Point<'_, S, R, L>) -> Lanes<S, R>) {
        let Self { simd, dimension, width, columns, y, x, scratch, values, best, link, domain, range, bounded } = self;
        let mut point = Point {
            simd,
            dimension,
            width,
            column: 0,
            y,
            x: &mut x[..dimension],
            scratch: R::registers_mut::<S>(scratch),
            link,
            domain,
        };
        for column in columns {
            point.column = column;
            // A loop of its own: with the function's chain of dependent operations behind it, a coordinate's would be so long that too few
            // of them are under way at once.
            for (i, j) in pairs(dimension) {
                let y = |i: usize| Lanes::new(simd, point.y[i * width + column]);
                let (a, b) = link.x(y(i), y(j));
                (point.x[i], point.x[j]) = (a.register(), b.register());
            }
            let value = scaled(function(&mut point), range, bounded);
            values[column] = value.register();
            best.look(value, point.x, 1);
        }
    }

    /// Evaluates functions that are sums over coordinates; `term` gives the summand of coordinate i and its derivative.
    #[inline(always)]
    pub(crate) fn add_up(self, term: impl Fn(usize, Lanes<S, R>) -> (Lanes<S, R>, Lanes<S, R>)) {
        self.each(|point| {
            let mut sum = point.constant(0.0);
            for i in 0..point.dimension {
                let (summand, slope) = term(i, point.coordinate(i));
                sum += summand;
                point.slope(i, slope);
            }
            sum
        });
    }

    /// Coordinates i and j in register `column` of all points, in the box.
    #[inline(always)]
    pub(crate) fn coordinates(&mut self, (i, j): (usize, usize), column: usize) -> [Lanes<S, R>; 2] {
        let (i, j) = (i * self.width + column, j * self.width + column);
        let (a, b) = self.link.x(Lanes::new(self.simd, self.y[i]), Lanes::new(self.simd, self.y[j]));
        (self.x[i], self.x[j]) = (a.register(), b.register());
        [in_box(a, self.domain), in_box(b, self.domain)]
    }

    /// Takes the derivative in what [`Points::coordinates`] gave.
    #[inline(always)]
    pub(crate) fn slope(&mut self, i: usize, column: usize, slope: Lanes<S, R>) {
        let place = i * self.width + column;
        let (y, x) = (Lanes::new(self.simd, self.y[place]), Lanes::new(self.simd, self.x[place]));
        self.y[place] = self.link.replace(y, x, spread(x, self.domain), slope).register();
    }

    /// Takes the value of the points of register `column`.
    #[inline(always)]
    pub(crate) fn value(&mut self, column: usize, value: Lanes<S, R>) {
        let value = scaled(value, self.range, self.bounded);
        self.values[column] = value.register();
        self.best.look(value, &self.x[column..], self.width);
    }
}

/// As many points as a register holds.
pub(crate) struct Point<'a, S: Simd, R: Real, L> {
    simd: S,
    pub dimension: usize,
    width: usize,
    column: usize,
    y: &'a mut [R::Register<S>],
    x: &'a mut [R::Register<S>],
    /// As many registers as the definition asked for.
    pub scratch: &'a mut [R::Register<S>],
    link: L,
    domain: [f64; 2],
}

impl<S: Simd, R: Real, L: Link<S, R>> Point<'_, S, R, L> {
    /// Coordinate i, in the box.
    #[inline(always)]
    pub(crate) fn coordinate(&self, i: usize) -> Lanes<S, R> {
        in_box(Lanes::new(self.simd, self.x[i]), self.domain)
    }

    /// Takes the derivative in coordinate i.
    #[inline(always)]
    pub(crate) fn slope(&mut self, i: usize, slope: Lanes<S, R>) {
        let place = i * self.width + self.column;
        let (y, x) = (Lanes::new(self.simd, self.y[place]), Lanes::new(self.simd, self.x[i]));
        self.y[place] = self.link.replace(y, x, spread(x, self.domain), slope).register();
    }

    /// `value` in every lane.
    #[inline(always)]
    pub(crate) fn constant(&self, value: f64) -> Lanes<S, R> {
        Lanes::splat(self.simd, R::of(value))
    }
}

/// u = lo + (hi - lo) x, in the definition's unit.
#[inline(always)]
fn in_box<S: Simd, R: Real>(x: Lanes<S, R>, [lo, hi]: [f64; 2]) -> Lanes<S, R> {
    if [lo, hi] == CENTERED { x + lo } else { x.mul_add(hi - lo, lo) }
}

/// x (1 - x), the slope of the sigmoid by its argument. In a centered box it is ¼ - u², whose square the function has as well: within
/// an ulp of ¼, for near 1 x itself leaves no more, and so 0 for the smallest x.
#[inline(always)]
pub(super) fn spread<S: Simd, R: Real>(x: Lanes<S, R>, domain: [f64; 2]) -> Lanes<S, R> {
    if domain != CENTERED {
        return x.mul_sub_from(x, x);
    }
    let u = in_box(x, domain);
    Lanes::splat(x.simd(), R::of(0.25)) - u * u
}

/// F of a value; where that is `bounded`, rounding leaves none below 0.
#[inline(always)]
fn scaled<S: Simd, R: Real>(value: Lanes<S, R>, [minimum, maximum]: [f64; 2], bounded: bool) -> Lanes<S, R> {
    let value = (value - minimum) * (1.0 / (maximum - minimum));
    // NaN is not below 0 and stays what it is.
    if bounded { value.less_than(0.0, 0.0, value) } else { value }
}
