namespace Gateway.Load.Run;

/// <summary>One figure of one target over all rounds.</summary>
/// <param name="Median">Median of the rounds.</param>
/// <param name="Ratio">Median over the rounds of this target's figure to the yardstick's in the same round; null without a yardstick.</param>
/// <param name="RatioLow">First quartile of those ratios.</param>
/// <param name="RatioHigh">Third quartile of those ratios.</param>
/// <param name="Samples">The figure of each round.</param>
internal sealed record MetricResult(double Median, double? Ratio, double? RatioLow, double? RatioHigh, IReadOnlyList<double> Samples)
{
    public static MetricResult Of(IReadOnlyList<double> samples, IReadOnlyList<double>? yardstick)
    {
        var median = Figures.Quantile([.. samples.Order()], 0.5);
        if (yardstick is null)
        {
            return new MetricResult(median, null, null, null, samples);
        }

        double[] ratios = [.. samples.Zip(yardstick, (own, other) => own / other).Order()];
        return new MetricResult(
            median, Figures.Quantile(ratios, 0.5), Figures.Quantile(ratios, 0.25), Figures.Quantile(ratios, 0.75), samples);
    }
}
