using System.Text.Json.Nodes;
using Opt.Operator.Dashboard.Curves;

namespace Opt.Operator.Dashboard;

/// <summary>One job as the pages need it.</summary>
/// <param name="Uid">Tells a job from its successor of the same name.</param>
/// <param name="Summary">A row of the list.</param>
internal sealed record JobPage(string Namespace, string Name, string Uid, JsonObject Summary);

/// <summary>What the dashboard shows.</summary>
internal interface IDashboardData
{
    /// <summary>All jobs, by namespace and name.</summary>
    IReadOnlyList<JobPage> Jobs();

    /// <summary>Everything but the curves and the whole logbook of one job; null when there is no such job.</summary>
    JsonObject? Detail(string @namespace, string name);

    /// <summary>Curves and logbook of a job; empty when nothing has been read.</summary>
    RunRecord Record(string uid);
}
