//! The page that draws figures, and what the browser prints of it.

use super::super::{Figure, plot::PLOTLY};
use super::Images;

/// Around the images in the printed page: a line `svg DATA` and a line `png DATA` for every figure, or one line `error DATA`,
/// all in base64.
pub(super) const BEGIN: &str = "<pre id=\"images\">";
pub(super) const END: &str = "</pre>";

/// Draws one figure after the other. A document that is open in a frame delays the end of loading, for which the browser waits
/// before it prints, until all figures are drawn.
const SCRIPT: &str = r#"
const frame = document.createElement("iframe");
document.body.append(frame);
const pending = frame.contentDocument;
pending.open();
const draw = async ({ figure, width, height }) => {
  const image = (format, scale) => Plotly.toImage(figure, { format, width, height, scale });
  const data = (url) => url.slice(url.indexOf(",") + 1);
  const svg = btoa(unescape(data(await image("svg", 1))));
  return `svg ${svg}\npng ${data(await image("png", scale))}\n`;
};
(async () => {
  let lines = "";
  for (const figure of figures) {
    try {
      lines += await draw(figure);
    } catch (error) {
      lines += `error ${btoa(unescape(encodeURIComponent(String(error?.message ?? error))))}\n`;
    }
  }
  const images = document.createElement("pre");
  images.id = "images";
  images.textContent = lines;
  document.head.replaceChildren();
  document.body.replaceChildren(images);
  pending.close();
})();
"#;

/// A page that draws `figures` and shows the images, coded, in place of itself.
pub(super) fn write(figures: &[&Figure], scale: usize) -> String {
    let entry = |figure: &&Figure| {
        let (width, height) = figure.size();
        format!("{{ figure: {}, width: {width}, height: {height} }}", figure.script())
    };
    let figures: Vec<String> = figures.iter().map(entry).collect();
    format!(
        "<!doctype html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n{}\n</head>\n<body>\n<script>\n\
         const scale = {scale};\nconst figures = [{}];\n{SCRIPT}</script>\n</body>\n</html>\n",
        *PLOTLY,
        figures.join(",\n")
    )
}

/// The images in a printed page, or why a figure has none. The error is the rest of a sentence about the browser.
pub(super) fn read(text: &[u8], figures: &[&Figure], scale: usize) -> Result<Vec<Result<Images, String>>, String> {
    let nothing = "printed no images";
    let text = std::str::from_utf8(text).map_err(|_| nothing)?;
    let (_, text) = text.split_once(BEGIN).ok_or(nothing)?;
    let (text, _) = text.split_once(END).ok_or("printed only a part of the images")?;
    let mut lines = text.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
    let mut images = Vec::new();
    for figure in figures {
        let malformed = || format!("printed something else than the images of {} figures", figures.len());
        let (first, data) = lines.next().ok_or_else(malformed)?;
        let data = base64(data).ok_or_else(malformed)?;
        images.push(match first {
            "error" => {
                Err(format!("plotly.js cannot draw the figure: {}", String::from_utf8_lossy(&data).replace('\n', " ")))
            }
            "svg" => {
                let (second, png) = lines.next().ok_or_else(malformed)?;
                let png = base64(png).filter(|_| second == "png").ok_or_else(malformed)?;
                check(data, png, figure, scale)
            }
            _ => return Err(malformed()),
        });
    }
    Ok(images)
}

/// A canvas that is too large for the browser comes out empty, for example.
fn check(svg: Vec<u8>, png: Vec<u8>, figure: &Figure, scale: usize) -> Result<Images, String> {
    let svg = String::from_utf8(svg).ok().filter(|svg| svg.starts_with("<svg")).ok_or("the SVG is not one")?;
    let (width, height) = figure.size();
    let expected = [width, height].map(|side| (side * scale as f64).floor() as u32);
    let number =
        |at: usize| png.get(at..at + 4).map(|bytes| bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
    if !png.starts_with(b"\x89PNG\r\n\x1a\n") || [16, 20].map(number) != expected.map(Some) {
        let [width, height] = expected;
        return Err(format!("the browser made no PNG of {width} × {height} pixels"));
    }
    Ok(Images { svg, png })
}

/// The bytes that `text` codes in standard base64, if it does.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // One letter alone codes no byte.
    (text.len() % 4 != 1).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob")] {
            assert_eq!(base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(base64("+/8=").unwrap(), [0xfb, 0xff]);
        assert_eq!((base64("Z"), base64("Zm 9")), (None, None));
    }

    #[test]
    fn the_page_holds_plotly_once_and_no_figure_ends_its_script() {
        let mut figure = super::super::super::figure1();
        figure.set("meta", "</script><!-- é".into());
        let page = write(&[&figure, &figure], 2);
        assert_eq!(page.matches("plotly.js v3").count(), 1);
        assert_eq!(page.matches("</script>").count(), 2);
    }
}
