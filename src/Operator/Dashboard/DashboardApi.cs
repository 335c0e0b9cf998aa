using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Opt.Api.Protocol;
using Opt.Operator.Dashboard.Access;
using Opt.Operator.Dashboard.Curves;

namespace Opt.Operator.Dashboard;

/// <summary>
/// The data of the pages: <c>/api/v1/jobs</c>, <c>/api/v1/jobs/NAMESPACE/NAME</c> with <c>/steps</c> and <c>/logbook</c>, and the first two live as server-sent events under
/// <c>/events</c>. Every answer, and every look of a stream, asks who may see it.
/// </summary>
internal sealed class DashboardApi(IDashboardData data, IAccess access, TimeProvider clock, CancellationToken stopping)
{
    private const string Cookie = "opt-operator-token";
    private const int DefaultPoints = 2000, MostPoints = 20_000, MostNewSteps = 2000;
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(2), KeepAlive = TimeSpan.FromSeconds(15);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/api/v1/login", (RequestDelegate)LoginAsync);
        routes.MapPost("/api/v1/logout", (RequestDelegate)(http => { http.Response.Cookies.Delete(Cookie); return Task.CompletedTask; }));
        routes.MapGet("/api/v1/jobs", (RequestDelegate)ListAsync);
        routes.MapGet("/api/v1/events", (RequestDelegate)FollowListAsync);
        routes.MapGet("/api/v1/jobs/{ns}/{name}", (RequestDelegate)DetailAsync);
        routes.MapGet("/api/v1/jobs/{ns}/{name}/steps", (RequestDelegate)StepsAsync);
        routes.MapGet("/api/v1/jobs/{ns}/{name}/logbook", (RequestDelegate)LogbookAsync);
        routes.MapGet("/api/v1/jobs/{ns}/{name}/events", (RequestDelegate)FollowJobAsync);
    }

    /// <summary>Keeps the token in a cookie that scripts cannot read and other sites cannot send. An API server that knows it is enough here; what it may see is asked each time.</summary>
    private async Task LoginAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body);
        var token = (await reader.ReadToEndAsync(http.RequestAborted)).Trim();
        var verdict = await access.MayAsync(token, "list", null, http.RequestAborted);
        if (verdict is Verdict.Unauthenticated or Verdict.Unavailable)
        {
            await RefuseAsync(http, verdict);
            return;
        }

        http.Response.Cookies.Append(Cookie, token, new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = http.Request.IsHttps, Path = "/" });
        await WriteAsync(http, new JsonObject { ["allNamespaces"] = verdict == Verdict.Allowed });
    }

    private async Task ListAsync(HttpContext http)
    {
        if (await JobsAsync(http) is { } jobs) await WriteAsync(http, jobs);
    }

    private async Task DetailAsync(HttpContext http)
    {
        if (await JobAsync(http) is { } job) await WriteAsync(http, job);
    }

    private Task FollowListAsync(HttpContext http) => StreamAsync(http, () => JobsAsync(http), null);

    private Task FollowJobAsync(HttpContext http) => StreamAsync(http, () => JobAsync(http), Uid(http));

    /// <summary><c>?points=N&amp;from=STEP&amp;to=STEP</c>: thinned so that every spike of every signal is left.</summary>
    private async Task StepsAsync(HttpContext http)
    {
        if (await JobAsync(http) is not { } job) return;
        if (Number(http, "points", DefaultPoints) is not { } points || Number(http, "from", 0) is not { } from || Number(http, "to", long.MaxValue - 1) is not { } to || points is < 1 or > MostPoints)
        {
            await AnswerAsync(http, 400, $"points must be 1 to {MostPoints}; from and to must be steps");
            return;
        }

        var curves = data.Record((string)job["uid"]!).Columns;
        var (steps, values) = curves.Thinned((int)points, from, to);
        await WriteAsync(http, new JsonObject { ["columns"] = Columns(steps, values), ["total"] = curves.Count });
    }

    /// <summary>All entries that are known, oldest first; the state holds the newest alone.</summary>
    private async Task LogbookAsync(HttpContext http)
    {
        if (await JobAsync(http) is not { } job) return;
        var entries = data.Record((string)job["uid"]!).Logbook;
        await WriteAsync(http, JsonSerializer.SerializeToNode(new LogbookPage { Total = entries.Count, Entries = entries }, ProtocolJson.Default.LogbookPage)!.AsObject());
    }

    private static JsonObject Columns(long[] steps, double[][] values)
    {
        var columns = new JsonObject { ["step"] = new JsonArray([.. steps.Select(s => (JsonNode)s)]) };
        for (var i = 0; i < values.Length; i++) columns[StepColumns.Signals[i]] = new JsonArray([.. values[i].Select(v => double.IsFinite(v) ? (JsonNode)v : null)]);
        return columns;
    }

    /// <summary>The jobs that the visitor may list; null when an answer has been given.</summary>
    private async Task<JsonObject?> JobsAsync(HttpContext http)
    {
        var token = Token(http);
        var all = await access.MayAsync(token, "list", null, http.RequestAborted);
        if (all is Verdict.Unauthenticated or Verdict.Unavailable)
        {
            await RefuseAsync(http, all);
            return null;
        }

        var jobs = data.Jobs();
        var visible = new HashSet<string>(StringComparer.Ordinal);
        foreach (var space in jobs.Select(j => j.Namespace).Distinct()) if (all == Verdict.Allowed || await access.MayAsync(token, "list", space, http.RequestAborted) == Verdict.Allowed) visible.Add(space);
        return new() { ["jobs"] = new JsonArray([.. jobs.Where(j => visible.Contains(j.Namespace)).Select(j => j.Summary.DeepClone())]), ["now"] = clock.GetUtcNow() };
    }

    /// <summary>The job of the address; null when an answer has been given. A job that may not be seen looks the same whether it exists or not.</summary>
    private async Task<JsonObject?> JobAsync(HttpContext http)
    {
        var (space, name) = ((string)http.Request.RouteValues["ns"]!, (string)http.Request.RouteValues["name"]!);
        var verdict = await access.MayAsync(Token(http), "get", space, http.RequestAborted);
        if (verdict != Verdict.Allowed)
        {
            await RefuseAsync(http, verdict);
            return null;
        }

        if (data.Detail(space, name) is not { } detail)
        {
            await AnswerAsync(http, 404, $"there is no job {space}/{name}");
            return null;
        }

        var record = data.Record((string)detail["uid"]!);
        detail["recorded"] = new JsonObject { ["curves"] = record.CurvesVersion, ["logbook"] = record.LogbookVersion };
        detail["now"] = clock.GetUtcNow();
        return detail;
    }

    /// <summary>Sends the object when it changes, and new steps of the job as they come.</summary>
    private async Task StreamAsync(HttpContext http, Func<Task<JsonObject?>> read, string? uid)
    {
        if (await read() is not { } now) return;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
        http.Response.ContentType = "text/event-stream";
        var (sent, last, curves, spokenAt) = ("", Number(http, "after", -1) ?? -1, "", clock.GetUtcNow());
        try
        {
            while (true)
            {
                // Steps that a new epoch took back come again; the page, told by the state, reads the curves anew.
                if (uid is not null && data.Record(uid) is var record && record.CurvesVersion is var version && version != curves) (curves, last) = (version, Math.Min(last, record.Columns.Newest));
                if (Unstamped(now) is var text && text != sent) (sent, spokenAt) = (text, await SendAsync(http, "state", now, ending.Token));
                if (uid is not null && data.Record(uid).Columns.After(last, MostNewSteps) is { Steps: [.., var newest] } added) (last, spokenAt) = (newest, await SendAsync(http, "steps", Columns(added.Steps, added.Values), ending.Token));
                if (clock.GetUtcNow() - spokenAt >= KeepAlive) spokenAt = await SendAsync(http, "alive", [], ending.Token);
                await Task.Delay(Pace, clock, ending.Token);
                // Permission is asked with every look; the answers are kept for half a minute.
                if (await ReadAgainAsync(http, read) is not { } next) return;
                now = next;
            }
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // the visitor left, or we stop
        }
    }

    /// <summary>As <paramref name="read"/>, but an answer has begun already: a refusal is the end of the stream, and the page asks anew.</summary>
    private static async Task<JsonObject?> ReadAgainAsync(HttpContext http, Func<Task<JsonObject?>> read)
    {
        try
        {
            return await read();
        }
        catch (InvalidOperationException) when (http.Response.HasStarted)
        {
            return null;
        }
    }

    private async Task<DateTimeOffset> SendAsync(HttpContext http, string kind, JsonObject value, CancellationToken ct)
    {
        await http.Response.WriteAsync($"event: {kind}\ndata: {value.ToJsonString()}\n\n", ct);
        await http.Response.Body.FlushAsync(ct);
        return clock.GetUtcNow();
    }

    private static string Unstamped(JsonObject value)
    {
        var copy = value.DeepClone().AsObject();
        copy.Remove("now");
        return copy.ToJsonString();
    }

    private string? Uid(HttpContext http) => (string?)data.Detail((string)http.Request.RouteValues["ns"]!, (string)http.Request.RouteValues["name"]!)?["uid"];

    private static string? Token(HttpContext http) =>
        http.Request.Headers.Authorization.ToString() is var header && header.StartsWith("Bearer ", StringComparison.Ordinal) ? header[7..] : http.Request.Cookies[Cookie];

    private static long? Number(HttpContext http, string name, long otherwise) => http.Request.Query[name].ToString() is { Length: > 0 } text
        ? long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value < long.MaxValue ? value : null : otherwise;

    private static Task RefuseAsync(HttpContext http, Verdict verdict) => verdict switch
    {
        Verdict.Unauthenticated => AnswerAsync(http, 401, "a token of this cluster is needed, such as kubectl create token prints"),
        Verdict.Forbidden => AnswerAsync(http, 403, "this user may not see opttrainingjobs.training.opt-operator.io here"),
        _ => AnswerAsync(http, 503, "the API server does not answer, so nobody's permission can be checked"),
    };

    private static Task AnswerAsync(HttpContext http, int status, string error)
    {
        if (http.Response.HasStarted) throw new InvalidOperationException(error);
        http.Response.StatusCode = status;
        return WriteAsync(http, new JsonObject { ["error"] = error });
    }

    private static Task WriteAsync(HttpContext http, JsonObject value)
    {
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(value.ToJsonString(), http.RequestAborted);
    }
}
