using Opt.Api;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;

namespace Opt.Trainer.Tests.Loop;

/// <summary>Whole parameters (or their gradients) put together from the flat shards of all ranks of any layout.</summary>
internal static class WholeModel
{
    public static Dictionary<string, float[]> From(ModelDimensions model, IReadOnlyList<(ShardLayout Layout, float[] Flat)> ranks)
    {
        var units = OptParameters.Units(model);
        var parameters = units.SelectMany(u => u.Parameters).ToDictionary(p => p.Name);
        var whole = parameters.Values.ToDictionary(p => p.Name, p => new float[p.Elements]);
        foreach (var (layout, flat) in ranks)
        {
            var elements = units.Select(u => Sharding.Chunk(u.LocalElements(layout.TensorParallelSize), layout.WorldSize / layout.TensorParallelSize)).ToList();
            foreach (var slice in layout.Slices)
            {
                var offset = elements.Take(units.Select(u => u.Name).ToList().IndexOf(slice.Unit)).Sum() + slice.UnitOffset;
                foreach (var run in GlobalRuns.Of(parameters[slice.Parameter], slice, layout.TensorParallelRank, layout.TensorParallelSize))
                {
                    flat.AsSpan((int)(offset + run.From), (int)run.Length).CopyTo(whole[slice.Parameter].AsSpan((int)run.Position));
                }
            }
        }

        return whole;
    }

    /// <summary>|a - b| / |a| over all parameters as one vector.</summary>
    public static double Difference(Dictionary<string, float[]> a, Dictionary<string, float[]> b)
    {
        double difference = 0, norm = 0;
        foreach (var (name, values) in a)
        {
            for (var i = 0; i < values.Length; i++)
            {
                var d = (double)values[i] - b[name][i];
                (difference, norm) = (difference + d * d, norm + (double)values[i] * values[i]);
            }
        }

        return Math.Sqrt(difference / norm);
    }
}
