"""All routers of the administrators' pages."""

from __future__ import annotations

from fastapi import APIRouter

from flows.administration import Administration
from web.business_settings import business_settings_router
from web.people import join_router, people_router, teams_router
from web.platform_pages import platform_router
from web.settings_pages import budgets_router, hours_router, keys_router, replies_router
from web.work_pages import audit_router, leads_router, notifications_router, tasks_router


def administration_routers(flows: Administration) -> tuple[APIRouter, ...]:
    """People, teams, settings, leads, tasks, notifications, the audit trail, and the platform's own page."""
    return (
        join_router(flows.people),
        people_router(flows.people, flows.teams),
        teams_router(flows.teams),
        hours_router(flows.hours),
        replies_router(flows.replies),
        budgets_router(flows.budgets, flows.targets, flows.teams),
        keys_router(flows.keys),
        business_settings_router(flows.settings, flows.people),  # takes any word after /settings/
        audit_router(flows.audit),
        notifications_router(flows.notifications),
        leads_router(flows.leads),
        tasks_router(flows.tasks),
        platform_router(flows.platform),
    )
