using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.KubectlOpt.Cli;
using Opt.KubectlOpt.Views;

namespace Opt.KubectlOpt.Plotting;

/// <summary>Where step records come from: a file of JSON lines, or the operator's dashboard.</summary>
internal static class StepSource
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <exception cref="CommandException">A line is no record; the message names it.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static async Task<IReadOnlyList<JsonObject>> FileAsync(string path, CancellationToken ct)
    {
        var records = new List<JsonObject>();
        var number = 0;
        await foreach (var line in File.ReadLinesAsync(path, ct))
        {
            number++;
            if (line.Length == 0) continue;
            try
            {
                records.Add(JsonNode.Parse(line) as JsonObject ?? throw new JsonException("not an object"));
            }
            catch (JsonException e)
            {
                throw new CommandException($"{path}, line {number}: not a step record: {e.Message}");
            }
        }

        return records;
    }

    /// <exception cref="CommandException">It does not answer, or refuses.</exception>
    public static async Task<IReadOnlyList<JsonObject>> DashboardAsync(Uri dashboard, string? token, JsonObject job, CancellationToken ct)
    {
        using var http = new HttpClient { Timeout = Deadline };
        if (token is not null) http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        var address = new Uri(dashboard, $"api/v1/jobs/{Uri.EscapeDataString(job.Text("metadata", "namespace") ?? "default")}/{Uri.EscapeDataString(job.Name())}/steps?points=2000");
        try
        {
            using var answer = await http.GetAsync(address, ct);
            if (!answer.IsSuccessStatusCode) throw new CommandException($"{address} answered {(int)answer.StatusCode}{(answer.StatusCode is System.Net.HttpStatusCode.Unauthorized ? ": give a --token, such as $(kubectl create token NAME)" : "")}");
            var columns = await JsonNode.ParseAsync(await answer.Content.ReadAsStreamAsync(ct), cancellationToken: ct);
            return Rows(columns.At("columns") as JsonObject ?? []);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is TaskCanceledException && !ct.IsCancellationRequested))
        {
            throw new CommandException($"{address}: {e.Message}");
        }
    }

    private static List<JsonObject> Rows(JsonObject columns)
    {
        var count = columns.Select(c => (c.Value as JsonArray)?.Count ?? 0).DefaultIfEmpty(0).Min();
        return [.. Enumerable.Range(0, count).Select(i => new JsonObject(columns.Select(c => KeyValuePair.Create(c.Key, c.Value![i]?.DeepClone()))))];
    }
}
