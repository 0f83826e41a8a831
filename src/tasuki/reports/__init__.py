"""Reports: a result as a document, and a document as one self-contained HTML file or as Markdown."""
