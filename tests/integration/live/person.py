"""Somebody in front of Home Assistant's frontend, who reads and clicks what is on the screen."""

from pathlib import Path
import re
from typing import Any

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, expect

PATIENCE = 15_000
"""Milliseconds for anything to appear."""

ICONS = 300
"""Milliseconds after which icons, which come last, are usually there: only a picture waits for them."""

# Texts that lack a translation or a placeholder are reported by the frontend on the console.
UNTRANSLATED = re.compile(r"strata|formatjs|translation", re.IGNORECASE)


class Person:
    """Uses one browser page; every step waits for what a person would wait for: the next thing to appear."""

    def __init__(self, page: Page, url: str, screenshots: Path) -> None:
        """Sit down at `page`; pictures are numbered as they are taken."""
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        self.page = page
        self.console: list[str] = []
        """What the browser complained about."""
        page.on("console", self._note)
        self._url = url
        self._screenshots = screenshots
        self._taken = 0
        self._dialog = page.locator("dialog-data-entry-flow")

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and UNTRANSLATED.search(message.text):
            self.console.append(message.text)

    def look(self, name: str) -> None:
        """Take a picture."""
        self._taken += 1
        self.page.wait_for_timeout(ICONS)
        self.page.screenshot(path=self._screenshots / f"{self._taken:02}-{name}.png", animations="disabled")

    # Ways

    def _go(self, path: str) -> None:
        """Open an address, again where the frontend was on its way elsewhere by itself and broke ours off."""
        for _ in range(2):
            try:
                self.page.goto(self._url + path)
            except Error as error:
                if "ERR_ABORTED" not in error.message:
                    raise
                self.page.wait_for_load_state()
            else:
                return
        self.page.goto(self._url + path)

    def log_in(self, user: str, password: str) -> None:
        self._go("")
        self.page.locator('input[name="username"]').fill(user)
        self.page.locator('input[name="password"]').fill(password)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("ha-sidebar").get_by_text("Settings")).to_be_visible()

    def add_integration(self, name: str) -> None:
        """Go to Settings > Devices & services > Add integration and choose one."""
        self.page.locator("ha-sidebar").get_by_text("Settings").click()
        self.page.get_by_text("Devices & services").click()
        self.page.get_by_role("button", name="Add integration").click()
        self.page.locator("dialog-add-integration input").first.fill(name)
        self.page.locator("ha-integration-list-item").filter(has_text=name).click()

    def open_integration(self, domain: str) -> None:
        self._go(f"/config/integrations/integration/{domain}")
        expect(self.page.locator("ha-config-entry-row").first).to_be_visible()

    def add_source(self) -> None:
        self.page.get_by_role("button", name="Add source").first.click()

    def add_archive(self) -> None:
        self.page.get_by_role("button", name="Add archive").first.click()

    def see_repairs(self) -> None:
        self._go("/config/repairs")

    def reads(self, text: str) -> None:
        """Wait until a text is to be read somewhere on the page."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def reconfigure(self, title: str) -> None:
        row = self.page.locator("ha-config-sub-entry-row").filter(has_text=title)
        row.get_by_role("button", name="Reconfigure source").click()

    def configure_hub(self) -> None:
        self.page.locator("ha-config-entry-row").get_by_role("button", name="Configure").first.click()

    def delete_hub(self) -> None:
        self.page.locator("ha-config-entry-row").get_by_role("button", name="Menu").first.click()
        self.page.get_by_role("menuitem", name="Delete").click()
        confirm = self.page.locator("dialog-box").get_by_role("button", name="Delete")
        expect(confirm).to_be_visible()
        self.look("delete")
        confirm.click()
        expect(self.page.locator("ha-config-entry-row")).to_have_count(0)

    def open_device(self, title: str) -> None:
        self.page.locator("ha-config-entry-device-row").filter(has_text=title).first.click()
        expect(self.page.locator("ha-device-entities-card").first).to_be_visible()

    # Forms

    def sees_form(self, title: str) -> None:
        expect(self._dialog.locator(".dialog-title")).to_have_text(title)

    def description(self, containing: str) -> str:
        """Return the text above the form's fields; it is rendered a moment after the form, hence what to wait for."""
        text = self._dialog.locator("ha-markdown-element").first
        expect(text).to_contain_text(containing)
        return text.inner_text()

    def choose(self, label: str) -> None:
        """Choose among radio buttons."""
        self._dialog.locator("ha-radio-option").filter(has_text=re.compile(rf"^\s*{re.escape(label)}\s*$")).click()

    def choose_page(self, label: str) -> None:
        """Choose from a menu."""
        self._dialog.locator("step-flow-menu").get_by_text(label, exact=True).click()

    def chosen(self) -> str:
        """Return what a drop-down list shows."""
        label, _, value = self._dialog.locator("ha-select ha-combo-box-item").first.inner_text().partition("\n")
        return (value or label).strip()

    def select(self, label: str) -> None:
        """Choose from a drop-down list."""
        self._dialog.locator("ha-select").click()
        self._dialog.locator("ha-dropdown-item").get_by_text(label, exact=True).click()

    def pick_entity(self, place: int, name: str) -> None:
        """Search an entity in the form's entity picker number `place`."""
        picker = self._dialog.locator("ha-entity-picker").nth(place)
        picker.click()
        picker.locator("input").first.fill(name)
        picker.locator("ha-combo-box-item").filter(has_text=name).last.click()
        expect(picker.locator("input")).to_have_count(0)

    def text_field(self, label: str) -> Locator:
        return self._dialog.locator("ha-selector-text").filter(has_text=label).locator("input").first

    def number_field(self, label: str) -> Locator:
        return self._dialog.locator("ha-selector-number").filter(has_text=label).locator("input")

    def go_on(self) -> None:
        """Leave a step after which others come."""
        self._dialog.get_by_role("button", name="Next").click()

    def submit(self) -> None:
        """Leave the last step."""
        self._dialog.get_by_role("button", name="Submit").click()

    def error(self) -> str:
        """Return what the form finds wrong."""
        return self._dialog.locator("ha-alert").first.inner_text()

    def end_form(self, button: str) -> None:
        """Close the last page of a form by one of its buttons."""
        self._dialog.get_by_role("button", name=button, exact=True).last.click()
        self._form_is_gone()

    def give_up_form(self) -> None:
        """Close a form by the cross in its corner."""
        self._dialog.locator("ha-dialog > ha-icon-button[data-dialog=close]").click()
        self._form_is_gone()

    def _form_is_gone(self) -> None:
        expect(self._dialog.locator("ha-dialog[open]")).to_have_count(0)

    # What is shown

    def shown(self, entity: str) -> str:
        """Return the state beside an entity's name on the page of its device."""
        row = self.page.locator("hui-generic-entity-row").filter(has=self.page.get_by_text(entity, exact=True))
        return row.first.inner_text().replace("\xa0", " ").strip()

    # What only the frontend's own connection answers

    def ask(self, command: str, **fields: Any) -> Any:
        """Return the answer to a WebSocket command."""
        return self.page.evaluate(
            "message => document.querySelector('home-assistant').hass.callWS(message)",
            {"type": command, **fields},
        )

    def system_health(self, domain: str) -> dict[str, Any]:
        """Return what system health has on a domain, once every value is there."""
        told: dict[str, Any] = self.page.evaluate(
            """domain => new Promise(resolve => {
              const told = {};
              document.querySelector("home-assistant").hass.connection.subscribeMessage(event => {
                if (event.type === "initial") Object.assign(told, event.data[domain].info);
                if (event.type === "update" && event.domain === domain) told[event.key] = event.data ?? event.error;
                if (event.type === "finish") resolve(told);
              }, {type: "system_health/info"});
            })""",
            domain,
        )
        return told
