"""What was measured of one bill, to stand beside the supplier's invoice of it."""

from datetime import date, timedelta
from decimal import Decimal

from config.exact import Month
from gateway.energy.invoices.file import Invoice
from gateway.energy.invoices.reconcile import Meter
from gateway.energy.pricing.bills import Bill, bills_of
from gateway.energy.pricing.booked import priced
from gateway.energy.pricing.power_factor import power_factor
from gateway.energy.pricing.timetable import Plan, local_midnight
from gateway.energy.query import Query

_AROUND = timedelta(days=40)


def bill_named(plan: Plan, month: Month) -> Bill:
    """Return the bill of this name, ``2026-07``; every month has one."""
    middle = date(int(month[:4]), int(month[5:]), 15)
    around = (local_midnight(middle + days, plan.zone) for days in (-_AROUND, _AROUND))
    return next(each for each in bills_of(plan.billing, plan.zone, *around) if each.name == month)


def measured(query: Query, plan: Plan, subject: str, invoice: Invoice) -> Meter:
    """Return what the books hold of the bill an invoice is of. Raises as `Query.energy`."""
    bill = bill_named(plan, invoice.month)
    found = priced(query, plan, subject, bill.first, bill.last, is_billed=True)
    demand, reactive = found.facts.demand_kw.get(bill.name), found.facts.reactive.get(bill.name)
    factor = None if reactive is None else power_factor(found.cost.kwh, reactive.taken)
    steps = [Decimal(10) ** int(kwh.as_tuple().exponent) for kwh in invoice.kwh.values()]
    steps += [each.resolution for each, _ in query.made(subject).terms]
    return Meter(
        found.table,
        found.energy,
        found.cost,
        demand_kw=demand,
        kvarh=None if reactive is None else reactive.taken,
        power_factor=factor,
        resolution_kwh=max(steps, default=Decimal(1)),
    )
