"""The pages of settings about language models, what they cost, and customers' files."""

from __future__ import annotations

from typing import Final

from web.i18n import N_
from web.settings_form import Field, Section, SettingsPage

MODEL_PAGES: Final[tuple[SettingsPage, ...]] = (
    SettingsPage(
        "model",
        N_("Language model"),
        N_("Which model writes what examples and knowledge do not answer. Without one, a person does."),
        "sparkles",
        (
            Section(
                N_("Where it is"),
                "",
                (
                    Field("model.name", N_("Model"), N_("As its provider calls it.")),
                    Field(
                        "model.base_url",
                        N_("Address"),
                        N_("Speaks the API of OpenAI; https, such as https://api.example.com/v1."),
                    ),
                    Field(
                        "model.api_key",
                        N_("Key"),
                        N_("Kept sealed and never shown again. The installation's own key goes to no other address."),
                        "secret",
                    ),
                    Field(
                        "model.fallback",
                        N_("Spare model"),
                        N_("Asked at the same address while the first one fails."),
                    ),
                    Field("model.summary", N_("Model for summaries"), N_("A cheaper one is enough.")),
                ),
            ),
            Section(
                N_("What it is told"),
                "",
                (
                    Field(
                        "mask_model_prompts",
                        N_("Hide personal data from it"),
                        N_(
                            "It reads marks instead of documents, phones and addresses. Functions still get the values."
                        ),
                        "switch",
                    ),
                    Field(
                        "second_reading",
                        N_("Let it read its replies again"),
                        N_(
                            "Before a reply goes out by itself, it says which source stands behind each part. "
                            "What has none waits for a person. One more answer for each reply."
                        ),
                        "switch",
                    ),
                    Field("model.options", N_("More options"), N_("A JSON object, sent with every request."), "lines"),
                ),
            ),
            Section(
                N_("Patience and cost"),
                N_("Limits stand on the page of budgets."),
                (
                    Field("model.timeout_seconds", N_("Wait for one answer (seconds)"), "", "number"),
                    Field("model.deadline_seconds", N_("Wait with all attempts (seconds)"), "", "number"),
                    Field("model.attempts", N_("Attempts"), "", "number"),
                    Field(
                        "model.prices",
                        N_("Prices per million tokens"),
                        N_("model=INPUT/OUTPUT or INPUT/OUTPUT/CACHED, with commas. Budgets in money need them."),
                        "lines",
                    ),
                ),
            ),
        ),
    ),
    SettingsPage(
        "files",
        N_("Customers' files"),
        N_("Voice notes, pictures and documents are put into words, where the installation has a model for that."),
        "paperclip",
        (
            Section(
                N_("What is read"),
                N_("What is beyond these limits goes to a person."),
                (
                    Field("media_reading.enabled", N_("Read customers' files"), "", "switch"),
                    Field("media_reading.most_megabytes", N_("Largest file (MB)"), "", "number"),
                    Field("media_reading.longest_characters", N_("Most characters of a file"), "", "number"),
                    Field("media_reading.most_files", N_("Most files at once"), "", "number"),
                    Field(
                        "media_reading.wait_seconds",
                        N_("Wait for a file that is late (seconds)"),
                        N_("The other conversations go on meanwhile."),
                        "number",
                    ),
                ),
            ),
        ),
    ),
)
"""In the order of the tabs."""
