//! Figures as files: HTML that works offline, SVG and PNG for print.
//!
//! A figure appears under its name whole or not at all, and a machine without a browser still gets the HTML.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use plotly::Plot;

use super::{Browser, Error};
use crate::output::Output;

/// A page that shows `plot` on its own: plotly.js is inside, nothing is loaded.
///
/// plotly's own `to_html` also embeds MathJax, 2 MB that no figure here uses and that would load its parts from a CDN
/// if one did. Of the scripts plotly offers only the first is kept, which is plotly.js.
pub fn html(plot: &Plot, title: &str) -> String {
    let scripts = Plot::offline_js_sources();
    let script = scripts.split_inclusive("</script>").next().unwrap_or_default();
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let figure = plot.to_inline_html(Some("figure"));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n\
         <head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n{script}\n</head>\n\
         <body style=\"background: white\">\n{figure}\n</body>\n</html>\n"
    )
}

/// What [`Exporter::write`] did.
#[derive(Debug)]
pub struct Written {
    /// The files that are there now.
    pub files: Vec<PathBuf>,
    /// Why there is no SVG and PNG, and what to install, if there is none.
    pub skipped: Option<String>,
}

/// Writes figures into a folder, all with one browser, which starts with the first figure and ends with the exporter.
pub struct Exporter {
    folder: PathBuf,
    /// `None` until the first figure; then the browser, or why there is none.
    browser: Option<Result<Browser, String>>,
}

impl Exporter {
    /// An exporter into `folder`, which is created if need be.
    ///
    /// # Errors
    /// [`Error::Write`] if the folder cannot be created.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
        Ok(Self { folder, browser: None })
    }

    /// Writes `plot` as `name.html`, `name.svg` and `name.png`, the latter at twice the figure's pixels. A figure that
    /// was there is replaced. Without a browser, or if it fails, the HTML is written and [`Written::skipped`] says why
    /// it is alone.
    ///
    /// # Errors
    /// [`Error::Write`] if a file cannot be written.
    pub fn write(&mut self, plot: &Plot, name: &str) -> Result<Written, Error> {
        let page = self.put(name, "html", html(plot, name).as_bytes())?;
        let browser = self.browser.get_or_insert_with(|| Browser::start().map_err(|e| e.to_string()));
        let images = match browser {
            Ok(browser) => browser.svg_and_png(plot).map_err(|e| e.to_string()),
            Err(reason) => Err(reason.clone()),
        };
        match images {
            Ok((svg, png)) => {
                let files = vec![page, self.put(name, "svg", svg.as_bytes())?, self.put(name, "png", &png)?];
                Ok(Written { files, skipped: None })
            }
            Err(reason) => {
                // Images of an earlier figure beside the new page would be taken for its own.
                for extension in ["svg", "png"] {
                    let path = self.folder.join(format!("{name}.{extension}"));
                    match fs::remove_file(&path) {
                        Err(source) if source.kind() != io::ErrorKind::NotFound => {
                            return Err(Error::Write { path, source });
                        }
                        _ => {}
                    }
                }
                Ok(Written { files: vec![page], skipped: Some(format!("{name}: {reason}")) })
            }
        }
    }

    fn put(&self, name: &str, extension: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.folder.join(format!("{name}.{extension}"));
        let whole = Output::prepare(&path).and_then(|output| {
            output.write(|sink| sink.write_all(bytes).map_err(|source| crate::Error::file("write", &path, source)))
        });
        match whole {
            Ok(()) => Ok(path),
            Err(crate::Error::File { path, source, .. }) => Err(Error::Write { path, source }),
            Err(other) => Err(Error::Write { path, source: io::Error::other(other.to_string()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::figure1, *};

    #[test]
    fn the_page_loads_nothing() {
        let page = html(&figure1(), "a < b");
        assert!(page.contains("plotly.js v3") && page.contains("<title>a &lt; b</title>"));
        assert!(!page.contains("<script src") && !page.contains("MathJax.loader"));
        assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
        assert_eq!(page.matches("</script>").count(), 2);
    }

    #[test]
    fn files_are_whole_and_replace_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let exporter = Exporter::new(folder.path().join("new")).unwrap();
        exporter.put("a", "html", b"old").unwrap();
        let path = exporter.put("a", "html", b"new").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1);
    }
}
