//! What every page is in: one file, no scripts, nothing fetched.

const STYLE: &str = include_str!("style.css");

/// A page; all of it must be escaped.
pub(super) fn page(kicker: &str, title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title} · gradus</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><p class=\"kicker\">gradus {kicker}</p><h1>{title}</h1></header>\n\
         {body}\n</main>\n</body>\n</html>\n"
    )
}
