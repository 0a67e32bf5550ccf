//! A headless browser, to turn figures into images.
//!
//! plotly's export draws with a browser through chromedriver. What it leaves to its caller is here: running both on a
//! port of their own and cleaning up after them (`driver`), and PNGs finer than a pixel a pixel.

mod driver;

use std::{fs, thread};

use plotly::{
    Plot,
    plotly_static::{ImageFormat, StaticExporter, StaticExporterBuilder},
};
use serde_json::{Value, json};

use super::Error;
use driver::Driver;

/// Pixels of a PNG, along a side, for every pixel of the figure: 305 dots an inch at the printed size.
const PNG_SCALE: usize = 2;

/// `--no-sandbox` because Chromium refuses to run as root without, and shows nothing here but our own figures;
/// `--disable-dev-shm-usage` because containers have little of it.
const BROWSER_ARGUMENTS: [&str; 6] = [
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--force-color-profile=srgb",
];

/// A running headless browser. It takes about a second to start, so keep one for many figures; it ends when dropped,
/// and also when the process ends without dropping it.
///
/// Its calls block: they fail inside an asynchronous (tokio) context.
pub struct Browser {
    /// `None` only while it is dropped.
    exporter: Option<StaticExporter>,
    /// After `exporter`: fields drop in order, and a session is closed before its driver.
    _driver: Driver,
}

impl Browser {
    /// Starts chromedriver and, with the first figure, Chromium or Chrome. They are looked for where the environment
    /// variables `WEBDRIVER_PATH` and `BROWSER_PATH` say, else on `PATH` and in `/usr/bin`.
    ///
    /// # Errors
    /// [`Error::Browser`] if one of the two is missing, with what to install, or does not start.
    pub fn start() -> Result<Self, Error> {
        let driver = Driver::start().map_err(Error::Browser)?;
        let exporter = StaticExporterBuilder::default()
            // "Spawn" first connects to what listens on the port, and that is our driver; only without "spawn" would
            // plotly insist on WEBDRIVER_PATH, for a program that it then does not run.
            .spawn_webdriver(true)
            .webdriver_port(driver.port().into())
            .offline_mode(true)
            .webdriver_browser_caps(BROWSER_ARGUMENTS.map(str::to_owned).into())
            .build()
            .map_err(|e| Error::Browser(format!("{e:#}")))?;
        Ok(Self { exporter: Some(exporter), _driver: driver })
    }

    /// `plot` laid out on `width` × `height` pixels, as the bytes of a PNG with twice as many pixels along each side.
    ///
    /// # Errors
    /// [`Error::Browser`] if the browser cannot be run or cannot draw the figure.
    pub fn png(&mut self, plot: &Plot, width: usize, height: usize) -> Result<Vec<u8>, Error> {
        let svg = self.svg(plot, width, height)?;
        self.rasterize(&svg, width, height)
    }

    /// `plot` in the size of its layout as a PNG for a screen, a pixel a pixel, in base64.
    ///
    /// # Errors
    /// [`Error::Browser`] if the browser cannot be run or cannot draw the figure.
    pub fn preview(&mut self, plot: &Plot) -> Result<String, Error> {
        let (width, height) = size(plot);
        let png = self.exporter().write_to_string(&json!(plot), ImageFormat::PNG, width, height, 1.0);
        png.map_err(|e| explain(e.as_ref()))
    }

    /// Both images of a figure, in the size of its layout.
    pub(super) fn svg_and_png(&mut self, plot: &Plot) -> Result<(String, Vec<u8>), Error> {
        let (width, height) = size(plot);
        let svg = self.svg(plot, width, height)?;
        let png = self.rasterize(&svg, width, height)?;
        Ok((svg, png))
    }

    fn svg(&mut self, plot: &Plot, width: usize, height: usize) -> Result<String, Error> {
        let svg = self.exporter().write_to_string(&json!(plot), ImageFormat::SVG, width, height, 1.0);
        svg.map_err(|e| explain(e.as_ref()))
    }

    /// plotly_static 0.1 takes a scale and ignores it. A PNG with more pixels is the SVG, stretched over an empty
    /// figure that has as many: vectors scale.
    fn rasterize(&mut self, svg: &str, width: usize, height: usize) -> Result<Vec<u8>, Error> {
        let canvas = canvas(svg, width * PNG_SCALE, height * PNG_SCALE);
        let failed = |e: std::io::Error| Error::Browser(format!("cannot pass the image on: {e}"));
        let folder = tempfile::tempdir().map_err(failed)?;
        let file = folder.path().join("figure.png");
        let size = (width * PNG_SCALE, height * PNG_SCALE);
        let written = self.exporter().write_fig(&file, &canvas, ImageFormat::PNG, size.0, size.1, 1.0);
        written.map_err(|e| explain(e.as_ref()))?;
        fs::read(file).map_err(failed)
    }

    fn exporter(&mut self) -> &mut StaticExporter {
        self.exporter.as_mut().expect("there until dropped")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let Some(mut exporter) = self.exporter.take() else { return };
        // On a thread of its own: in an asynchronous context, closing would panic. Nothing is left to do if it fails;
        // the driver takes the browser down in any case.
        let _ = thread::spawn(move || exporter.close()).join();
    }
}

/// Width and height of the layout, in pixels.
fn size(plot: &Plot) -> (usize, usize) {
    let layout = json!(plot.layout());
    // 700 × 450 pixels are plotly's own defaults.
    let side = |key: &str, default| layout[key].as_u64().unwrap_or(default) as usize;
    (side("width", 700), side("height", 450))
}

/// A figure of nothing but `svg`, `width` × `height` pixels.
fn canvas(svg: &str, width: usize, height: usize) -> Value {
    let hidden = json!({ "visible": false, "range": [0, 1] });
    let image = json!({
        "source": format!("data:image/svg+xml,{}", percent_encode(svg)),
        "xref": "paper", "yref": "paper", "x": 0, "y": 1, "sizex": 1, "sizey": 1, "sizing": "stretch",
    });
    let margin = json!({ "l": 0, "r": 0, "t": 0, "b": 0 });
    let layout = json!({
        "width": width, "height": height, "margin": margin, "images": [image], "xaxis": hidden, "yaxis": hidden,
    });
    json!({ "data": [], "layout": layout })
}

/// Every byte but letters and digits as %XX: valid in a data URI, whatever the SVG has.
fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// The chain of causes in one line, and what most often helps.
fn explain(error: &(dyn std::error::Error + 'static)) -> Error {
    let causes = std::iter::successors(Some(error), |e| e.source()).map(|e| e.to_string()).collect::<Vec<_>>();
    let causes = causes.join(": ").lines().next().unwrap_or_default().to_owned();
    Error::Browser(format!("{causes} (if the browser is not found, set BROWSER_PATH to it)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_uris_are_plain() {
        assert_eq!(percent_encode("<a b='é'>"), "%3Ca%20b%3D%27%C3%A9%27%3E");
    }

    /// Draws for real where there is a browser; elsewhere the reason must say what to install.
    #[test]
    fn images_have_their_size() {
        let mut browser = match Browser::start() {
            Ok(browser) => browser,
            Err(reason) => return assert!(reason.to_string().contains("apt-get install"), "{reason}"),
        };
        let png = browser.png(&super::super::figure1(), 300, 200).unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((number(16), number(20)), (600, 400));
    }
}
