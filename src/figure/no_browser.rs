//! What stands for the browser in a build without the cargo feature `static-export`: nothing, with the reason.

use std::convert::Infallible;

use plotly::Plot;

use super::Error;

/// A headless browser, which this build cannot have: no value of this type exists.
pub struct Browser(Infallible);

impl Browser {
    /// Says what to build with.
    ///
    /// # Errors
    /// [`Error::Browser`], always.
    pub fn start() -> Result<Self, Error> {
        let why = "built without the cargo feature `static-export`, which needs libssl-dev and pkg-config to build";
        Err(Error::Browser(why.to_owned()))
    }

    /// Cannot be called, for want of a browser to call it on.
    ///
    /// # Errors
    /// None.
    pub fn png(&mut self, _plot: &Plot, _width: usize, _height: usize) -> Result<Vec<u8>, Error> {
        match self.0 {}
    }

    /// Cannot be called, for want of a browser to call it on.
    ///
    /// # Errors
    /// None.
    pub fn preview(&mut self, _plot: &Plot) -> Result<String, Error> {
        match self.0 {}
    }

    pub(super) fn svg_and_png(&mut self, _plot: &Plot) -> Result<(String, Vec<u8>), Error> {
        match self.0 {}
    }
}
