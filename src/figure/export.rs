//! Figures as files: HTML that works offline, SVG and PNG for print.
//!
//! A figure appears under its name whole or not at all, and a machine without a browser still gets the HTML.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use super::plot::PLOTLY;
use super::{Browser, Error, Figure};
use crate::output::Output;

/// Pixels of a PNG, along a side, to every pixel of the figure: 305 dots an inch at the printed size.
const PNG_SCALE: usize = 2;

/// A page that shows `figure` on its own: plotly.js is inside, nothing is loaded.
pub fn html(figure: &Figure, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n\
         <head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n{}\n</head>\n\
         <body style=\"background: white\">\n<div id=\"figure\"></div>\n\
         <script>\nPlotly.newPlot(\"figure\", {});\n</script>\n</body>\n</html>\n",
        *PLOTLY,
        figure.script()
    )
}

/// The result of [`Exporter::finish`].
#[derive(Debug)]
pub struct Written {
    /// The files that are there now.
    pub files: Vec<PathBuf>,
    /// The reasons why SVG and PNG are missing: a line for all figures, if there is no browser, or one for each that has none.
    pub skipped: Vec<String>,
}

/// Writes figures into a folder: each as HTML at once, then all as images, with one start of the browser.
pub struct Exporter {
    folder: PathBuf,
    figures: Vec<(String, Figure)>,
}

impl Exporter {
    /// An exporter into `folder`, which is created if need be.
    ///
    /// # Errors
    /// [`Error::Write`] if the folder cannot be created.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
        Ok(Self { folder, figures: Vec::new() })
    }

    /// Writes `figure` as `name.html` and keeps it for [`finish`](Self::finish). A figure that was there is replaced; its images
    /// are removed, since they would be taken for those of the new page.
    ///
    /// # Errors
    /// [`Error::Write`] if a file cannot be written or removed.
    pub fn add(&mut self, figure: impl Into<Figure>, name: &str) -> Result<(), Error> {
        let figure = figure.into();
        for extension in ["svg", "png"] {
            let path = self.path(name, extension);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(Error::Write { path, source }),
                _ => {}
            }
        }
        self.put(name, "html", html(&figure, name).as_bytes())?;
        self.figures.push((name.to_owned(), figure));
        Ok(())
    }

    /// Writes every figure as `name.svg` and `name.png`, the latter at twice the figure's pixels. Without a browser, or if it
    /// fails, there is the HTML alone, and [`Written::skipped`] says why.
    ///
    /// # Errors
    /// [`Error::Write`] if a file cannot be written.
    pub fn finish(self) -> Result<Written, Error> {
        self.finish_with(Browser::find)
    }

    fn finish_with(self, browser: impl FnOnce() -> Result<Browser, Error>) -> Result<Written, Error> {
        let mut written = Written { files: Vec::new(), skipped: Vec::new() };
        let figures: Vec<&Figure> = self.figures.iter().map(|(_, figure)| figure).collect();
        let images =
            if figures.is_empty() { Ok(Vec::new()) } else { browser().and_then(|b| b.draw(&figures, PNG_SCALE)) };
        let mut images =
            images.map_err(|reason| written.skipped.push(reason.to_string())).unwrap_or_default().into_iter();
        for (name, _) in &self.figures {
            written.files.push(self.path(name, "html"));
            match images.next() {
                Some(Ok(images)) => {
                    written.files.push(self.put(name, "svg", images.svg.as_bytes())?);
                    written.files.push(self.put(name, "png", &images.png)?);
                }
                Some(Err(reason)) => written.skipped.push(format!("{name}: {reason}")),
                None => {}
            }
        }
        Ok(written)
    }

    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}.{extension}"))
    }

    fn put(&self, name: &str, extension: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.path(name, extension);
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
    fn no_text_of_a_figure_ends_its_script() {
        let mut figure = figure1();
        figure.set("meta", "</script><!-- <script>".into());
        assert_eq!(html(&figure, "a").matches("</script>").count(), 2);
    }

    #[test]
    fn without_a_browser_there_is_the_page_alone_and_one_reason() {
        let folder = tempfile::tempdir().unwrap();
        let mut exporter = Exporter::new(folder.path()).unwrap();
        fs::write(folder.path().join("a.png"), "of an earlier figure").unwrap();
        exporter.add(figure1(), "a").unwrap();
        exporter.add(figure1(), "b").unwrap();
        let written = exporter.finish_with(|| Err(Error::Browser("none".to_owned()))).unwrap();
        assert_eq!(written.files, [folder.path().join("a.html"), folder.path().join("b.html")]);
        assert_eq!(written.skipped, ["no PNG or SVG: none"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let none = Exporter::new(folder.path()).unwrap().finish_with(|| unreachable!()).unwrap();
        assert!(none.files.is_empty() && none.skipped.is_empty());
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
